// SPDX-License-Identifier: Apache-2.0
// An atomic word on a cache line of its own: who writes it does not slow down who reads its neighbours.

import Synchronization

@safe
struct LoneWord: ~Copyable, @unchecked Sendable {
    private static let lineBytes = 64

    // Invariant: an initialised word at the start of a line. All access is atomic, so it is Sendable.
    private let line: UnsafeMutablePointer<Atomic<UInt64>>

    init() {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Self.lineBytes, alignment: Self.lineBytes)
        unsafe line = memory.bindMemory(to: Atomic<UInt64>.self, capacity: 1)
        unsafe line.initialize(to: Atomic(0))
    }

    deinit { unsafe line.deallocate() }

    // All relaxed: the word publishes nothing but itself.

    @inline(__always)
    func load() -> UInt64 { unsafe line.pointee.load(ordering: .relaxed) }

    func store(_ value: UInt64) { unsafe line.pointee.store(value, ordering: .relaxed) }

    func increment() { unsafe line.pointee.wrappingAdd(1, ordering: .relaxed) }

    @inline(__always)
    func replace(_ expected: UInt64, by desired: UInt64) -> (exchanged: Bool, original: UInt64) {
        unsafe line.pointee.weakCompareExchange(
            expected: expected,
            desired: desired,
            successOrdering: .relaxed,
            failureOrdering: .relaxed
        )
    }
}
