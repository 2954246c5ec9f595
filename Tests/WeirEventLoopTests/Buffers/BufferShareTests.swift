// SPDX-License-Identifier: Apache-2.0
// What a loop does when much is held for its connections: it goes on with all of them, a little at a time.

import Testing
import WeirEventLoop
import WeirMetrics
import WeirTestSupport

@Suite struct BufferShareTests {
    private static let least = BufferShare.bytesPerConnection
    /// What is received at once where buffers are short.
    private static let smallReceive = BufferShare.headBytesMin

    @Test(arguments: [
        // What is not kept for connections is lent; where they are too many for the share, a quarter of it.
        (1 << 20, 0, 1 << 20), (1 << 20, 10, 1 << 20 - 10 * least), (1 << 20, 64, 1 << 18), (1 << 20, 100, 1 << 18),
        (1 << 20, .max, 1 << 18), (.max, 0, .max),
    ])
    func `what every connection needs is kept back`(bytesMax: Int, connections: Int, bytesLent: Int) {
        #expect(BufferShare(bytesMax: bytesMax, connectionsMax: connections).bytesLent == bytesLent)
    }

    @Test func `memory elsewhere counts, and little of the share lies unused`() {
        var pool = BufferPool()
        pool.setShare(BufferShare(bytesMax: 128 << 10, connectionsMax: 0))
        let (one, two, three) = (pool.take(1), pool.take(1), pool.take(1))
        #expect(pool.heldBytes == 12 << 10)
        for buffer in [one, two, three] { pool.give(buffer) }
        // A sixteenth is two of them: the third was freed.
        let (next, last) = (pool.take(1), pool.take(1))
        #expect(next == two && last == one)
        pool.note(120 << 10)
        let isOut = pool.isOut
        pool.note(-1)
        let isOutStill = pool.isOut
        #expect(isOut && !isOutStill)
        pool.give(next)
        pool.give(last)
        #expect(pool.heldBytes == 120 << 10 - 1)
    }

    private static let bytesLent = 64 << 10

    private static func makeLoop() throws -> HandTurnedLoop {
        let test = try HandTurnedLoop()
        test.loop.setShare(BufferShare(bytesMax: 4 * bytesLent, connectionsMax: .max))
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
        #expect(test.loop.isShortOfBuffers && !test.loop.isOutOfBuffers)
        peer.send([UInt8](repeating: 2, count: 20_000))
        test.turn(4)
        #expect(recorder.deliveries.dropFirst().allSatisfy { $0.count <= Self.smallReceive })
        #expect(recorder.taken.count == 40_000)
        test.loop.noteHeld(-Self.bytesLent)
        peer.send([UInt8](repeating: 3, count: 20_000))
        test.turn()
        #expect(recorder.deliveries.last?.count == 20_000)
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
        #expect(test.metrics.value(.bufferBytesMax) == 4 * Self.bytesLent)
        test.loop.flush(recorder.channel)
        test.turn()
        #expect(test.metrics.value(.bufferBytes) == Self.bytesLent)
        test.loop.noteHeld(-Self.bytesLent)
    }

    /// Connections that pass on what they get to peers that begin to read late, as many as the share was made for: the
    /// bound holds, and each of them gets all of it.
    @Test func `all go on within the bound, also when all of it is held by those that nobody reads`() throws {
        let connections = 24
        let bytesMax = 2 * connections * Self.least
        let test = try HandTurnedLoop()
        test.loop.setShare(BufferShare(bytesMax: bytesMax, connectionsMax: connections))
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
