// SPDX-License-Identifier: Apache-2.0
// Memory that shares its cache line with nothing else. Owned by whoever holds it; the value says who may use it.

/// A value on a cache line of its own: what is written beside it does not slow its readers down, nor the other way round.
/// `@unchecked Sendable`: it hands out the value's address alone, and only values that all threads may use.
struct CacheLine<Value: ~Copyable & Sendable>: ~Copyable, @unchecked Sendable {
    private static var byteCount: Int { 64 }

    /// As long as the line lives.
    let address: UnsafePointer<Value>

    init(_ value: consuming Value) {
        precondition(MemoryLayout<Value>.size <= Self.byteCount, "a value fits one line")
        let line = UnsafeMutableRawPointer.allocate(byteCount: Self.byteCount, alignment: Self.byteCount)
        let place = line.bindMemory(to: Value.self, capacity: 1)
        place.initialize(to: value)
        address = UnsafePointer(place)
    }

    deinit {
        let place = UnsafeMutablePointer(mutating: address)
        place.deinitialize(count: 1)
        UnsafeMutableRawPointer(place).deallocate()
    }
}
