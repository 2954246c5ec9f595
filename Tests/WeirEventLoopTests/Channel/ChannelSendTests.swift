// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirMetrics
import WeirTestSupport

@Suite struct ChannelSendTests {
    @Test func `what an event sends goes out in its turn`() throws {
        let test = try HandTurnedLoop()
        let peer = try test.connect(.echo())
        peer.send("ping")
        test.turn()
        #expect(peer.receive().bytes == Array("ping".utf8))
        #expect(test.metrics.value(.sentBytes) == 4)
    }

    @Test func `outside of an event flush sends`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        Array("abc".utf8).withUnsafeBytes { test.loop.send(recorder.channel, $0) }
        #expect(recorder.channel.queuedByteCount == 3)
        #expect(peer.receive().bytes.isEmpty)
        test.loop.flush(recorder.channel)
        #expect(recorder.channel.queuedByteCount == 0)
        #expect(peer.receive().bytes == Array("abc".utf8))
        #expect(recorder.channel.acknowledgedByteCount(on: test.loop) == 3)
    }

    @Test func `what is to go out at the end of the turn waits for what is queued until then`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        for text in ["one ", "two"] {
            test.loop.send(recorder.channel, text)
            test.loop.flushAtTurnEnd(recorder.channel)
            #expect(peer.receive().bytes.isEmpty)
        }
        test.turn()
        #expect(peer.receive().bytes == Array("one two".utf8))
        test.loop.close(recorder.channel)
        test.loop.flushAtTurnEnd(recorder.channel)
        test.turn()
        #expect(recorder.closeReasons == [.requested])
    }

    @Test(arguments: [1, 4064, 16_000, 16_352, 16_353, 70_000])
    func `reserved memory has the room that was asked for, and sends what was committed`(count: Int) throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        var expected: [UInt8] = []
        for round in 0..<3 {
            let room = test.loop.reserveOutput(recorder.channel, count)
            #expect(room.count >= count)
            let byte = UInt8(round + 1)
            room.initializeMemory(as: UInt8.self, repeating: byte)
            test.loop.commitOutput(recorder.channel, count)
            expected += [UInt8](repeating: byte, count: count)
        }
        test.loop.flush(recorder.channel)
        var got: [UInt8] = []
        while got.count < expected.count {
            let piece = peer.receive().bytes
            test.turn()
            try #require(!piece.isEmpty || recorder.channel.queuedByteCount > 0)
            got += piece
        }
        #expect(isEqual(got, expected))
    }

    @Test(arguments: [0, 1, 100, 20_000, 40_000])
    func `what has not gone out can be taken back to a position`(kept: Int) throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        test.loop.send(recorder.channel, "sent")
        test.loop.flush(recorder.channel)
        let before = [UInt8](repeating: 1, count: kept)
        before.withUnsafeBytes { test.loop.send(recorder.channel, $0) }
        let position = recorder.channel.outputPosition
        #expect(position == UInt64(4 + kept))
        [UInt8](repeating: 2, count: 50_000).withUnsafeBytes { test.loop.send(recorder.channel, $0) }
        #expect(test.loop.takeBackOutput(recorder.channel, to: position))
        #expect(recorder.channel.outputPosition == position)
        #expect(recorder.channel.queuedByteCount == kept)
        test.loop.send(recorder.channel, "after")
        test.loop.flush(recorder.channel)
        #expect(isEqual(peer.receive().bytes, Array("sent".utf8) + before + Array("after".utf8)))
        #expect(!test.loop.takeBackOutput(recorder.channel, to: position), "it has gone out")
        #expect(recorder.channel.queuedByteCount == 0)
    }

    @Test func `large output is sent whole and in order, with one blocked and one drained`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        var random = SeededGenerator(seed: 4)
        let bytes = random.bytes(2_000_000)
        bytes.withUnsafeBytes { test.loop.send(recorder.channel, $0) }
        test.loop.flush(recorder.channel)
        #expect(recorder.blockedCount == 1)
        #expect(recorder.drainedCount == 0)
        #expect(recorder.channel.queuedByteCount > 0)
        var got: [UInt8] = []
        while got.count < bytes.count {
            let piece = peer.receive(upTo: 10_000 + random.below(100_000)).bytes
            try #require(!piece.isEmpty)
            got += piece
            #expect(recorder.blockedCount == 1)
            test.turn()
        }
        #expect(isEqual(got, bytes))
        #expect(recorder.drainedCount == 1)
        #expect(recorder.channel.queuedByteCount == 0)
        #expect(recorder.channel.acknowledgedByteCount(on: test.loop) == 2_000_000)
    }

    @Test func `a producer that goes on at each drained sends everything`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        let piece = [UInt8](repeating: 7, count: 500_000)
        var left = 4
        let produce: (EventLoop, Channel) -> Void = { loop, channel in
            guard left > 0 else { return }
            left -= 1
            piece.withUnsafeBytes { loop.send(channel, $0) }
        }
        recorder.onDrained = produce
        produce(test.loop, recorder.channel)
        test.loop.flush(recorder.channel)
        var count = 0
        for _ in 0..<1000 where count < 2_000_000 {
            count += peer.receive(upTo: 60_000).bytes.count
            test.turn()
        }
        #expect(count == 2_000_000)
        #expect(left == 0)
        #expect(recorder.blockedCount == recorder.drainedCount)
    }

    @Test func `what is sent while blocked comes behind what waits`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        var expected: [UInt8] = []
        for round in 0..<6 {
            let piece = [UInt8](repeating: UInt8(round), count: 150_000)
            expected += piece
            piece.withUnsafeBytes { test.loop.send(recorder.channel, $0) }
            test.loop.flush(recorder.channel)
        }
        #expect(recorder.blockedCount == 1)
        var got: [UInt8] = []
        for _ in 0..<1000 where got.count < expected.count {
            got += peer.receive().bytes
            test.turn()
        }
        #expect(isEqual(got, expected))
    }

    @Test func `sending to a peer that is gone closes the channel once`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        peer.close()
        [UInt8(1)].withUnsafeBytes { test.loop.send(recorder.channel, $0) }
        test.loop.flush(recorder.channel)
        test.turn(3)
        #expect(recorder.closeReasons == [.failed])
        #expect(test.loop.openChannelCount == 0)
    }
}
