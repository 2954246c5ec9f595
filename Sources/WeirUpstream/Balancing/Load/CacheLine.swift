// SPDX-License-Identifier: Apache-2.0
// Memory that shares its cache lines with nothing else. Owned by whoever holds it; the value says who may use it.

/// A value on cache lines of its own: what is written beside it does not slow its readers down, nor the other way round.
/// `@unchecked Sendable`: it hands out the value's address alone, and only values that all threads may use.
struct CacheLine<Value: ~Copyable & Sendable>: ~Copyable, @unchecked Sendable {
    private static var lineByteCount: Int { 64 }
    private static var byteCount: Int { (MemoryLayout<Value>.size + lineByteCount - 1) / lineByteCount * lineByteCount }

    /// As long as the line lives.
    let address: UnsafePointer<Value>

    init(_ value: consuming Value) {
        let line = UnsafeMutableRawPointer.allocate(byteCount: Self.byteCount, alignment: Self.lineByteCount)
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
