// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirMetrics
import WeirTestSupport

@Suite struct ChannelCloseTests {
    private static let writeTimeout: Nanoseconds = 5_000_000_000

    @Test func `closing loses what is queued, and is told once`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        recorder.onReceived = { loop, channel, bytes in
            bytes.withUnsafeBytes { loop.send(channel, $0) }
            loop.close(channel)
            loop.close(channel)
            return bytes.count
        }
        let peer = try test.connect(recorder)
        peer.send("abc")
        test.turn()
        #expect(recorder.closeReasons == [.requested])
        let (bytes, isEnd) = peer.receive()
        #expect(bytes.isEmpty && isEnd)
        test.turn(2)
        #expect(recorder.closeReasons.count == 1)
        #expect(test.metrics.value(.connectionsClosed) == 1)
    }

    @Test func `a channel is dead at once but told at the end of the turn`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        test.loop.close(recorder.channel)
        #expect(recorder.closeReasons.isEmpty)
        #expect(!recorder.channel.isOpen)
        peer.send("late")
        test.turn()
        #expect(recorder.deliveries.isEmpty)
        #expect(recorder.closeReasons == [.requested])
    }

    @Test func `an event of one channel may close another whose event is of the same turn`() throws {
        let test = try HandTurnedLoop()
        let recorders = [Recorder(), Recorder()]
        for (index, recorder) in recorders.enumerated() {
            recorder.onReceived = { loop, _, bytes in
                loop.close(recorders[1 - index].channel)
                return bytes.count
            }
        }
        let peers = try recorders.map { try test.connect($0) }
        for peer in peers { peer.send("x") }
        test.turn(3)
        #expect(recorders.map(\.deliveries.count).sorted() == [0, 1])
        #expect(recorders.map(\.closeReasons.count).sorted() == [0, 1])
        test.end()
    }

    @Test func `finish sends what is queued and then ends`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 / 1000) }
        bytes.withUnsafeBytes { test.loop.send(recorder.channel, $0) }
        test.loop.finish(recorder.channel, writeTimeout: Self.writeTimeout)
        test.loop.flush(recorder.channel)
        var got: [UInt8] = []
        var isEnd = false
        for _ in 0..<1000 where !isEnd {
            let piece = peer.receive()
            got += piece.bytes
            isEnd = piece.isEnd
            test.turn()
        }
        #expect(isEqual(got, bytes))
        #expect(isEnd)
        #expect(recorder.closeReasons.isEmpty, "it lingers until the peer ends")
        peer.close()
        test.turn(2)
        #expect(recorder.closeReasons.count == 1)
    }

    @Test func `a channel that ended in good order was requested to`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        test.loop.finish(recorder.channel, writeTimeout: Self.writeTimeout)
        test.turn()
        #expect(peer.receive().isEnd)
        peer.endSending()
        test.turn(2)
        #expect(recorder.closeReasons == [.requested])
    }

    @Test func `finish after the peer's end closes when all is sent`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        recorder.onEnded = { loop, channel in
            Array("bye".utf8).withUnsafeBytes { loop.send(channel, $0) }
            loop.finish(channel, writeTimeout: Self.writeTimeout)
        }
        let peer = try test.connect(recorder)
        peer.endSending()
        test.turn(2)
        let (bytes, isEnd) = peer.receive()
        #expect(bytes == Array("bye".utf8) && isEnd)
        #expect(recorder.closeReasons == [.requested])
    }

    @Test func `after finish nothing is delivered, and what comes does not break the answer off`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        recorder.onReceived = { loop, channel, _ in
            Array("answer".utf8).withUnsafeBytes { loop.send(channel, $0) }
            loop.finish(channel, writeTimeout: Self.writeTimeout)
            return 0
        }
        let peer = try test.connect(recorder)
        peer.send("question")
        test.turn()
        peer.send("and more")
        test.turn(2)
        #expect(recorder.deliveries.count == 1)
        let (bytes, isEnd) = peer.receive()
        #expect(bytes == Array("answer".utf8) && isEnd)
        peer.endSending()
        test.turn(2)
        #expect(recorder.closeReasons.count == 1)
        #expect(recorder.endedCount == 0)
    }

    @Test func `a peer that never ends is given two seconds`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.loop.finish(recorder.channel, writeTimeout: Self.writeTimeout)
        test.advance(by: .milliseconds(1999))
        #expect(recorder.closeReasons.isEmpty)
        test.advance(by: .milliseconds(1))
        #expect(recorder.closeReasons.count == 1)
        #expect(recorder.timeouts.isEmpty)
        #expect(peer.receive().isEnd)
    }

    @Test func `a peer that sends on and on after the end is cut off`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        test.loop.finish(recorder.channel, writeTimeout: Self.writeTimeout)
        var sent = 0
        while sent < 4 << 20, recorder.closeReasons.isEmpty {
            sent += peer.send([UInt8](repeating: 0, count: 65536))
            test.turn()
        }
        #expect(recorder.closeReasons.count == 1)
        #expect(sent > 1 << 20)
        #expect(sent < 2 << 20)
    }

    @Test func `a peer that does not take the last bytes is given the write timeout`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        [UInt8](repeating: 0, count: 1_000_000).withUnsafeBytes { test.loop.send(recorder.channel, $0) }
        test.loop.flush(recorder.channel)
        test.loop.finish(recorder.channel, writeTimeout: Self.writeTimeout)
        test.advance(by: .milliseconds(4999))
        #expect(recorder.closeReasons.isEmpty)
        test.advance(by: .milliseconds(2))
        #expect(recorder.closeReasons.count == 1)
        withExtendedLifetime(peer) {}
    }

    @Test func `a reset by the peer fails the channel once`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder.echo()
        let peer = try test.connect(recorder)
        peer.send("abc")
        test.turn()
        // The echo was not read: closing now is a reset.
        peer.close()
        test.turn(3)
        #expect(recorder.closeReasons == [.failed])
    }

    @Test func `a loop that stops closes what is open`() throws {
        let test = try HandTurnedLoop()
        let recorders = (0..<3).map { _ in Recorder() }
        let peers = try recorders.map { try test.connect($0) }
        test.turn()
        #expect(test.loop.openChannelCount == 3)
        test.end()
        for recorder in recorders { #expect(recorder.closeReasons == [.stopped]) }
        for peer in peers { #expect(peer.receive().isEnd) }
        #expect(test.loop.openChannelCount == 0)
        #expect(test.loop.hasEnded)
    }

    @Test func `a slot that is used again has another name`() throws {
        let test = try HandTurnedLoop()
        var ids: Set<UInt64> = []
        for _ in 0..<300 {
            let recorder = Recorder()
            let peer = try test.connect(recorder)
            ids.insert(recorder.channel.id)
            recorder.channel.close(on: test)
            #expect(peer.receive().isEnd)
        }
        #expect(ids.count == 300)
    }

    @Test func `more channels than one chunk of the table holds all work`() throws {
        let test = try HandTurnedLoop()
        var recorders: [Recorder] = []
        var peers: [Peer] = []
        for _ in 0..<600 {
            recorders.append(.echo())
            peers.append(try test.connect(recorders[recorders.count - 1]))
        }
        #expect(test.loop.openChannelCount == 600)
        #expect(test.metrics.value(.connectionsOpen) == 600)
        for (index, peer) in peers.enumerated() { peer.send("\(index)") }
        // At most 256 events come per turn.
        test.turn(4)
        for (index, peer) in peers.enumerated() { #expect(peer.receive().bytes == Array("\(index)".utf8)) }
        test.end()
        #expect(recorders.allSatisfy { $0.closeReasons == [.stopped] })
    }

    @Test func `only the open channels of a protocol are visited`() throws {
        let test = try HandTurnedLoop()
        let recorders = [Recorder(), Recorder(), Recorder()]
        let peers = try recorders.map { try test.connect($0) }
        test.loop.close(recorders[1].channel)
        var count = 0
        var other = ChannelEvents(
            received: { _, _, _ in 0 },
            ended: { _, _ in },
            blocked: { _, _ in },
            drained: { _, _ in },
            timedOut: { _, _ in },
            closed: { _, _, _ in }
        )
        withUnsafePointer(to: &other) { test.loop.forEachChannel(with: $0) { _ in count += 1 } }
        #expect(count == 0)
        withExtendedLifetime(peers) {}
    }
}
