// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirMetrics
import WeirTestSupport

@Suite struct ChannelSendThroughTests {
    @Test func `few bytes wait for the flush, many are gone at once`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        Array("few".utf8).withUnsafeBytes { test.loop.sendThrough(recorder.channel, $0) }
        #expect(recorder.channel.queuedByteCount == 3)
        #expect(peer.receive().bytes.isEmpty)
        let many = [UInt8](repeating: 9, count: 30_000)
        many.withUnsafeBytes { test.loop.sendThrough(recorder.channel, $0) }
        #expect(recorder.channel.queuedByteCount == 0)
        #expect(isEqual(peer.receive().bytes, Array("few".utf8) + many))
        #expect(recorder.blockedCount == 0)
        #expect(test.metrics.value(.sentBytes) == 30_003)
    }

    @Test(arguments: [2, 30_000])
    func `what stands behind goes with them`(count: Int) throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        let bytes = [UInt8](repeating: 9, count: count)
        test.loop.send(recorder.channel, "before")
        bytes.withUnsafeBytes { test.loop.sendThrough(recorder.channel, $0, behind: "\r\n") }
        #expect(recorder.channel.queuedByteCount == (count > 8192 ? 0 : 10))
        test.loop.flush(recorder.channel)
        #expect(isEqual(peer.receive().bytes, Array("before".utf8) + bytes + [13, 10]))
    }

    @Test func `what the kernel does not take is kept: the memory may change after the call`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        var bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 / 777) }
        let expected = bytes
        bytes.withUnsafeBytes { test.loop.sendThrough(recorder.channel, $0) }
        bytes.withUnsafeMutableBytes { _ = $0.initializeMemory(as: UInt8.self, repeating: 0xEE) }
        #expect(recorder.blockedCount == 1)
        #expect(recorder.channel.queuedByteCount > 0)
        #expect(recorder.channel.queuedByteCount < 1_000_000)
        var got: [UInt8] = []
        test.turn(until: "everything has come") {
            got += peer.receive(upTo: 50_000).bytes
            return got.count >= expected.count
        }
        #expect(isEqual(got, expected))
        test.turn()
        #expect(recorder.drainedCount == 1)
        #expect(recorder.channel.queuedByteCount == 0)
    }

    @Test(arguments: 1...6)
    func `pieces of all sizes keep their order, whoever sends them how`(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        var expected: [UInt8] = []
        var got: [UInt8] = []
        for _ in 0..<120 {
            let piece = random.bytes(random.oneIn(3) ? random.below(60_000) : random.below(9_000))
            expected += piece
            piece.withUnsafeBytes {
                if random.oneIn(3) {
                    test.loop.send(recorder.channel, $0)
                } else if random.oneIn(2) {
                    test.loop.sendThrough(recorder.channel, $0)
                } else {
                    test.loop.sendThrough(recorder.channel, $0, behind: "the end")
                    expected += Array("the end".utf8)
                }
            }
            if random.oneIn(4) { test.loop.flush(recorder.channel) }
            if random.oneIn(3) { got += peer.receive(upTo: 1 + random.below(90_000)).bytes }
            if random.oneIn(3) { test.turn() }
        }
        test.loop.flush(recorder.channel)
        test.turn(until: "everything has come") {
            got += peer.receive().bytes
            return got.count >= expected.count
        }
        test.turn()
        #expect(isEqual(got, expected), "seed \(seed)")
        #expect(recorder.channel.queuedByteCount == 0)
        #expect(recorder.blockedCount == recorder.drainedCount)
        #expect(recorder.channel.acknowledgedByteCount(on: test.loop) == UInt64(expected.count))
    }

    @Test func `a peer that is gone fails the channel once`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        peer.close()
        let many = [UInt8](repeating: 9, count: 30_000)
        many.withUnsafeBytes { test.loop.sendThrough(recorder.channel, $0) }
        #expect(!recorder.channel.isOpen)
        // What comes behind is lost, too, and harms nobody.
        many.withUnsafeBytes { test.loop.sendThrough(recorder.channel, $0) }
        test.turn(2)
        #expect(recorder.closeReasons == [.failed])
        #expect(test.metrics.value(.sentBytes) == 0)
    }

    @Test func `nothing is nothing`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        test.loop.sendThrough(recorder.channel, UnsafeRawBufferPointer(start: nil, count: 0))
        test.loop.flush(recorder.channel)
        #expect(recorder.channel.queuedByteCount == 0)
        #expect(peer.receive().bytes.isEmpty)
    }
}
