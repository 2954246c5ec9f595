// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop

@Suite struct BufferPoolTests {
    private static let headerByteCount = 32
    private static let largest = EventLoop.receiveBufferCount + headerByteCount

    @Test(arguments: [
        (0, 4096), (1, 4096), (4096 - 32, 4096), (4096 - 31, 16384), (16384 - 32, 16384), (16384 - 31, largest),
        (largest - 32, largest), (largest - 31, largest + 1), (1_000_000, 1_000_032),
    ])
    func `a request gets the smallest size that holds it`(count: Int, size: Int) {
        let pool = Pool()
        let buffer = pool.take(count)
        #expect(pool.heldBytes == size)
        // All of it can be written; the address sanitizer sees if it cannot.
        (UnsafeMutableRawPointer(buffer) + Self.headerByteCount).initializeMemory(
            as: UInt8.self,
            repeating: 0xAA,
            count: count
        )
        pool.give(buffer)
        #expect(pool.heldBytes == 0)
    }

    @Test(arguments: [100, 10_000, 60_000])
    func `buffers come back last in first out`(count: Int) {
        let pool = Pool()
        let buffers = (0..<4).map { _ in pool.take(count) }
        for buffer in buffers { pool.give(buffer) }
        for buffer in buffers.reversed() { #expect(pool.take(count) == buffer) }
        for buffer in buffers { pool.give(buffer) }
    }

    @Test func `a buffer is reused only for its own size`() {
        let pool = Pool()
        let small = pool.take(1)
        pool.give(small)
        let medium = pool.take(5000)
        #expect(medium != small)
        #expect(pool.take(1) == small)
        pool.give(medium)
        pool.give(small)
    }

    @Test func `beyond the retained limit a buffer is freed`() {
        let pool = Pool(retainedBytesMax: 2 * 4096)
        let buffers = (0..<3).map { _ in pool.take(1) }
        for buffer in buffers { pool.give(buffer) }
        // The third was freed: the last one in is the second.
        let first = pool.take(1)
        let second = pool.take(1)
        #expect(first == buffers[1])
        #expect(second == buffers[0])
        pool.give(first)
        pool.give(second)
    }

    @Test func `a pool that was trimmed has nothing left to hand out again, and keeps what comes back`() {
        let pool = Pool(retainedBytesMax: 4096)
        let buffer = pool.take(1)
        pool.give(buffer)
        pool.trim()
        let (first, second) = (pool.take(1), pool.take(1))
        pool.give(first)
        pool.give(second)
        #expect(pool.take(1) == first)
        #expect(pool.heldBytes == 4096)
        pool.give(first)
    }

    @Test func `taking makes room in the retained bytes again`() {
        let pool = Pool(retainedBytesMax: 16384)
        let medium = pool.take(5000)
        pool.give(medium)
        #expect(pool.take(5000) == medium)
        let small = pool.take(1)
        pool.give(small)
        #expect(pool.take(1) == small)
        pool.give(small)
        // With the small one retained, the medium one is too much.
        pool.give(medium)
        #expect(pool.heldBytes == 0)
    }

    @Test func `counts what is on loan over all sizes`() {
        let pool = Pool()
        let buffers = [1, 5000, 20_000, 100_000].map { pool.take($0) }
        #expect(pool.heldBytes == 4096 + 16384 + Self.largest + 100_032)
        pool.give(buffers[1])
        #expect(pool.heldBytes == 4096 + Self.largest + 100_032)
        for index in [0, 2, 3] { pool.give(buffers[index]) }
        #expect(pool.heldBytes == 0)
    }
}

/// A pool behind a reference, because `#expect` cannot call mutating members of what cannot be copied.
private final class Pool {
    private var pool: BufferPool

    init(retainedBytesMax: Int = 4 << 20) {
        pool = BufferPool(retainedBytesMax: retainedBytesMax)
    }

    var heldBytes: Int { pool.heldBytes }

    func take(_ minimumCount: Int) -> Buffer { pool.take(minimumCount) }
    func give(_ buffer: Buffer) { pool.give(buffer) }
    func trim() { pool.trim() }
}
