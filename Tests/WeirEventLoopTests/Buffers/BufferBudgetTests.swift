// SPDX-License-Identifier: Apache-2.0
// What a loop does when much is held for its connections: it goes on with all of them, a little at a time.

import Testing
import WeirEventLoop
import WeirMetrics
import WeirTestSupport

@Suite struct BufferBudgetTests {
    private static let least = BufferBudget.bytesPerConnection
    /// What is received at once where buffers are short.
    private static let smallReceive = BufferBudget.smallPieceBytes

    @Test(arguments: [
        // What is not kept for connections is lent; where they are too many for the share, a quarter of it.
        (1 << 20, 0, 1 << 20), (1 << 20, 10, 1 << 20 - 10 * least), (1 << 20, 64, 1 << 18), (1 << 20, 100, 1 << 18),
        (1 << 20, .max, 1 << 18), (.max, 0, .max),
    ])
    func `what every connection needs is kept back`(bytesMax: Int, connections: Int, bytesLent: Int) {
        #expect(BufferBudget(bytesMax: bytesMax, connectionsMax: connections).bytesLent == bytesLent)
    }

    @Test func `memory elsewhere counts, and no more than was said lies unused`() {
        var pool = BufferPool()
        pool.setBudget(BufferBudget(bytesMax: 128 << 10, connectionsMax: 0))
        pool.setRetainedBytesMax(8 << 10)
        let (one, two, three) = (pool.take(1), pool.take(1), pool.take(1))
        #expect(pool.heldBytes == 12 << 10)
        for buffer in [one, two, three] { pool.give(buffer) }
        // The third was freed.
        let (next, last) = (pool.take(1), pool.take(1))
        #expect(next == two && last == one)
        pool.note(120 << 10)
        let room = pool.room()
        pool.note(-1)
        let roomThen = pool.room()
        #expect(room == 0 && roomThen == 1)
        pool.give(next)
        pool.give(last)
        #expect(pool.heldBytes == 120 << 10 - 1)
    }

    // MARK: Shared

    private static func makePools(_ count: Int, _ budget: BufferBudget) -> [PoolInHand] {
        (0..<count).map { _ in PoolInHand(budget) }
    }

    @Test func `what one loop holds the others see, and may hold themselves once it is given back`() {
        let budget = BufferBudget(bytesMax: 1 << 20, connectionsMax: .max)
        let pools = Self.makePools(3, budget)
        pools[0].note(budget.bytesLent - 1)
        pools[0].settle()
        pools[1].settle()
        #expect(!pools[0].isShort && !pools[1].isShort)
        pools[1].note(1)
        pools[1].settle()
        // The third has not looked since.
        #expect(pools[1].isShort && !pools[2].isShort)
        for pool in pools { pool.settle() }
        #expect(pools.allSatisfy(\.isShort) && !pools.contains(where: \.isOut))
        #expect(budget.heldBytes == budget.bytesLent)
        #expect(pools[2].room == budget.bytesMax - budget.bytesLent)
        // More of them change nothing, and one that comes later has what is free.
        let late = PoolInHand(budget)
        #expect(late.isShort && !late.isOut)
        pools[0].note(1 - budget.bytesLent)
        for pool in pools + [late] { pool.settle() }
        #expect(!late.isShort && late.room == budget.bytesMax - 1)
    }

    @Test func `a loop that takes much tells it before its turn ends`() {
        let budget = BufferBudget(bytesMax: 1 << 20, connectionsMax: 0)
        let (one, other) = (PoolInHand(budget), PoolInHand(budget))
        one.note(16 << 10)
        #expect(budget.heldBytes == 0)
        one.note(1)
        #expect(budget.heldBytes == 16 << 10 + 1)
        // So do buffers, when they are made.
        let buffers = (0..<5).map { _ in other.take(1) }
        #expect(budget.heldBytes == 16 << 10 + 1 + 20 << 10)
        for buffer in buffers { other.give(buffer) }
        other.settle()
        #expect(budget.heldBytes == 16 << 10 + 1)
    }

    @Test func `without a bound nothing is ever short`() {
        let budget = BufferBudget(bytesMax: .max, connectionsMax: 0)
        let pools = Self.makePools(2, budget)
        for pool in pools {
            pool.note(1 << 40)
            pool.settle()
        }
        for pool in pools { pool.settle() }
        #expect(!pools.contains { $0.isShort || $0.isOut })
    }

    /// Whatever the loops do in whatever order: what they hold in all is never more than the bound and what each may have
    /// untold, as long as none takes where it finds all in use.
    @Test func `together they stay within the bound`() {
        let budget = BufferBudget(bytesMax: 1 << 20, connectionsMax: 0)
        let pools = Self.makePools(4, budget)
        let seed = UInt64.random(in: 0...(.max))
        var random = SeededGenerator(seed: seed)
        let pieceMax = 4096
        var held = [Int](repeating: 0, count: pools.count)
        var peak = 0
        for _ in 0..<50_000 {
            let index = random.below(pools.count)
            switch random.below(8) {
            case 0:
                pools[index].settle()
            case 1:
                let piece = random.below(min(held[index], 4 * pieceMax) + 1)
                pools[index].note(-piece)
                held[index] -= piece
            default:
                guard !pools[index].isOut else { continue }
                let piece = 1 + random.below(pieceMax)
                pools[index].note(piece)
                held[index] += piece
            }
            peak = max(peak, held.reduce(0, +))
        }
        let beyond = pools.count * (budget.bytesUntoldMax + pieceMax)
        #expect(peak <= budget.bytesMax + beyond, "seed \(seed)")
        #expect(peak > budget.bytesMax / 2, "the bound was never near")
    }

    private static let bytesLent = 64 << 10

    private static func makeLoop() throws -> HandTurnedLoop {
        let test = try HandTurnedLoop()
        test.loop.setBudget(BufferBudget(bytesMax: 4 * bytesLent, connectionsMax: .max))
        return test
    }

    @Test func `near the bound receives are small, and large again as soon as memory is back`() throws {
        let test = try Self.makeLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        peer.send([UInt8](repeating: 1, count: 20_000))
        test.turn()
        #expect(recorder.deliveries.map(\.count) == [20_000])
        test.loop.noteHeld(Self.bytesLent)
        #expect(test.loop.isShortOfBuffers)
        peer.send([UInt8](repeating: 2, count: 20_000))
        test.turn(4)
        #expect(recorder.deliveries.dropFirst().allSatisfy { $0.count <= Self.smallReceive })
        #expect(recorder.taken.count == 40_000)
        test.loop.noteHeld(-Self.bytesLent)
        peer.send([UInt8](repeating: 3, count: 20_000))
        test.turn()
        #expect(recorder.deliveries.last?.count == 20_000)
    }

    @Test func `a loop that has slept sees what others have given back before it refuses anything`() throws {
        let test = try HandTurnedLoop()
        let budget = BufferBudget(bytesMax: 4 * Self.bytesLent, connectionsMax: .max)
        test.loop.setBudget(budget)
        let other = PoolInHand(budget)
        other.note(budget.bytesMax)
        other.settle()
        test.turn()
        #expect(!test.loop.mayHold(1))
        other.note(-budget.bytesMax)
        other.settle()
        #expect(test.loop.mayHold(budget.bytesMax))
    }

    @Test func `what is kept whole grows freely at first, and then where each connection can go on besides`() throws {
        let test = try Self.makeLoop()
        let recorders = (0..<2).map { _ in Recorder() }
        let peers = try recorders.map { try test.connect($0) }
        test.turn()
        let bytesMax = 4 * Self.bytesLent
        #expect(test.loop.collectedBytesMax == bytesMax / 8 * 7)
        // Not short: whatever comes, which is no more than a window.
        test.loop.noteHeld(Self.bytesLent - 1)
        #expect(!test.loop.isShortOfBuffers && test.loop.mayHold(bytesMax))
        test.loop.noteHeld(1)
        let room = bytesMax - Self.bytesLent - peers.count * Self.least
        #expect(test.loop.mayHold(room) && !test.loop.mayHold(room + 1))
        test.loop.noteHeld(room)
        #expect(test.loop.mayHold(0) && !test.loop.mayHold(1))
    }

    @Test func `near the bound any output fills a window, in a small buffer`() throws {
        let test = try Self.makeLoop()
        let recorder = Recorder()
        _ = try test.connect(recorder)
        test.turn()
        #expect(test.loop.window(100) == 100)
        test.loop.send(recorder.channel, "a")
        #expect(!test.loop.isOutputFull(recorder.channel, 100))
        test.loop.flush(recorder.channel)
        test.loop.noteHeld(Self.bytesLent)
        #expect(test.loop.window(100) == 1)
        #expect(!test.loop.isOutputFull(recorder.channel, 100))
        test.loop.send(recorder.channel, "b")
        #expect(test.loop.isOutputFull(recorder.channel, 100))
        test.turn()
        #expect(test.metrics.value(.bufferBytes) == Self.bytesLent + 4096)
        test.loop.flush(recorder.channel)
        test.turn()
        #expect(test.metrics.value(.bufferBytes) == Self.bytesLent)
        test.loop.noteHeld(-Self.bytesLent)
    }

    @Test(arguments: [1, 2000, BufferBudget.smallPieceBytes - 1])
    func `what is kept of a head that is read in any case stays in the smallest buffer`(count: Int) throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        recorder.onReceived = { _, _, _ in 0 }
        let peer = try test.connect(recorder)
        test.turn()
        peer.send([UInt8](repeating: 1, count: count))
        test.turn()
        peer.send([1])
        test.turn()
        #expect(recorder.deliveries.last?.count == count + 1)
        #expect(test.metrics.value(.bufferBytes) == BufferBudget.bytesPerConnection / 3)
    }

    /// Connections that pass on what they get to peers that begin to read late, as many as the budget was made for: the
    /// bound holds, and each of them gets all of it.
    @Test func `all go on within the bound, also when all of it is held by those that nobody reads`() throws {
        let connections = 24
        let bytesMax = 2 * connections * Self.least
        let test = try HandTurnedLoop()
        test.loop.setBudget(BufferBudget(bytesMax: bytesMax, connectionsMax: connections))
        let seed = UInt64.random(in: 0...(.max))
        var random = SeededGenerator(seed: seed)
        let message = random.bytes(600_000)
        let recorders = (0..<connections).map { _ in Self.windowedEcho() }
        let peers = try recorders.map { try test.connect($0) }
        var sent = [Int](repeating: 0, count: connections)
        var received = [[UInt8]](repeating: [], count: connections)
        var peak = 0
        // First nobody reads, then half of them, then all.
        for (rounds, readers) in [(200, 0), (400, connections / 2), (40_000, connections)] {
            for _ in 0..<rounds where received.contains(where: { $0.count < message.count }) {
                for index in 0..<connections {
                    if sent[index] < message.count {
                        let next = sent[index]..<min(message.count, sent[index] + 50_000)
                        sent[index] += peers[index].send(message[next])
                    }
                    if index < readers { received[index] += peers[index].receive(upTo: 8192).bytes }
                }
                test.turn()
                peak = max(peak, test.metrics.value(.bufferBytes))
            }
        }
        // One full receive beyond what is lent may have come before it was short.
        #expect(peak <= bytesMax + 128 << 10, "seed \(seed)")
        #expect(peak > bytesMax / 2, "the bound was never near")
        for bytes in received { #expect(isEqual(bytes, message), "seed \(seed)") }
        test.turn()
        #expect(test.metrics.value(.bufferBytes) == 0)
    }

    /// Takes bytes and sends them back, with a window as the protocols have it.
    private static func windowedEcho() -> Recorder {
        let recorder = Recorder()
        recorder.onReceived = { loop, channel, bytes in
            bytes.withUnsafeBytes { loop.send(channel, $0) }
            loop.flush(channel)
            if loop.isOutputFull(channel, 64 << 10) { channel.pause() }
            return bytes.count
        }
        recorder.onDrained = { loop, channel in channel.resume(on: loop) }
        return recorder
    }
}

/// A pool behind a reference, because `#expect` cannot call mutating members of what cannot be copied.
private final class PoolInHand {
    private var pool = BufferPool()

    init(_ budget: BufferBudget) {
        pool.setBudget(budget)
    }

    var isShort: Bool { pool.isShort }
    var isOut: Bool { room <= 0 }
    var room: Int { pool.room() }

    func note(_ change: Int) { pool.note(change) }
    func settle() { pool.settle() }
    func take(_ minimumCount: Int) -> Buffer { pool.take(minimumCount) }
    func give(_ buffer: Buffer) { pool.give(buffer) }
}
