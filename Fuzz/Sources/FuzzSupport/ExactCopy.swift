// SPDX-License-Identifier: Apache-2.0
// Memory in which the address sanitizer sees every read beyond the end.

/// A copy of some bytes in an allocation that has not one byte to spare.
@safe
package struct ExactCopy: ~Copyable {
    private let storage: UnsafeMutableBufferPointer<UInt8>

    package init(_ bytes: Span<UInt8>) {
        unsafe storage = .allocate(capacity: bytes.count)
        // The allocation was just made for this many bytes.
        for index in bytes.indices { unsafe storage.initializeElement(at: index, to: bytes[index]) }
    }

    deinit {
        unsafe storage.deallocate()
    }

    /// The copied bytes, for as long as the copy is borrowed.
    package var span: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            // The memory lives and keeps its values as long as `self`, on which the span's lifetime is made to depend.
            unsafe _overrideLifetime(Span(_unsafeElements: UnsafeBufferPointer(storage)), borrowing: self)
        }
    }
}
