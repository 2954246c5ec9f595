// SPDX-License-Identifier: Apache-2.0
// Memory of fixed size for plain values: written once when a table is built, then only read.

/// A block of plain values that never changes: allocated when a table is built, freed with the table.
///
/// Reading an element is a bounds check and a load; an `Array` would add reference counting on the hot path.
@safe
struct FlatArray<Element: BitwiseCopyable & Sendable>: ~Copyable, @unchecked Sendable {
    // Sound to share between threads: initialized before `init` returns, never written again, freed by the only owner.
    private let storage: UnsafeMutableBufferPointer<Element>

    /// Copies the elements into memory of its own.
    init(_ elements: [Element]) {
        unsafe storage = .allocate(capacity: elements.count)
        _ = unsafe storage.initialize(fromContentsOf: elements)
    }

    deinit {
        unsafe storage.deallocate()  // plain values need no deinitialization
    }

    /// The elements, for as long as the array is borrowed.
    var span: Span<Element> {
        @_lifetime(borrow self)
        @inline(always)
        get {
            // The memory lives and keeps its values as long as `self`, on which the span's lifetime is made to depend.
            unsafe _overrideLifetime(Span(_unsafeElements: UnsafeBufferPointer(storage)), borrowing: self)
        }
    }
}
