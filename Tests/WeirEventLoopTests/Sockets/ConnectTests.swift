// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing
import WeirEventLoop
import WeirMetrics
import WeirTestSupport

@Suite struct ConnectTests {
    private static let kinds = Backlog.Kind.allCases.filter { Backlog.works($0) }

    @Test(arguments: kinds)
    func `a connection stands, is told once, and carries bytes both ways`(kind: Backlog.Kind) throws {
        let test = try HandTurnedLoop()
        let backlog = try Backlog(kind)
        let recorder = Recorder.echo()
        try test.loop.connect(to: backlog.address, open: recorder.opener)
        #expect(recorder.address == backlog.address)
        #expect(recorder.channel.isConnecting)
        #expect(recorder.connectedCount == 0, "nothing is told inside of connect")
        let peer = try backlog.accept()
        test.turn(until: "it stands") { recorder.connectedCount > 0 }
        #expect(!recorder.channel.isConnecting)
        peer.send("ping")
        var answer: [UInt8] = []
        test.turn(until: "the echo comes") {
            answer += peer.receive().bytes
            return answer.count == 4
        }
        #expect(answer == Array("ping".utf8))
        #expect(recorder.connectedCount == 1)
        #expect(recorder.closeReasons.isEmpty)
    }

    @Test func `what was queued before goes out in order once it stands`() throws {
        let test = try HandTurnedLoop()
        let backlog = try Backlog()
        let recorder = Recorder()
        recorder.onConnected = { loop, channel in loop.send(channel, "three") }
        try test.loop.connect(to: backlog.address, open: recorder.opener)
        test.loop.send(recorder.channel, "one ")
        test.loop.flush(recorder.channel)
        let long = [UInt8](repeating: UInt8(ascii: "."), count: 20_000)
        long.withUnsafeBytes { test.loop.sendThrough(recorder.channel, $0) }
        #expect(recorder.channel.queuedByteCount == 20_004)
        let peer = try backlog.accept()
        #expect(peer.receive().bytes.isEmpty, "nothing goes out before")
        test.turn(2)
        #expect(isEqual(peer.receive().bytes, Array("one ".utf8) + long + Array("three".utf8)))
        #expect(recorder.blockedCount == 0)
        #expect(recorder.drainedCount == 0)
    }

    @Test(arguments: kinds)
    func `connected comes before what the peer has sent`(kind: Backlog.Kind) throws {
        let test = try HandTurnedLoop()
        let backlog = try Backlog(kind)
        let recorder = Recorder()
        recorder.onConnected = { [unowned recorder] _, _ in #expect(recorder.deliveries.isEmpty) }
        recorder.onReceived = { [unowned recorder] _, _, bytes in
            #expect(recorder.connectedCount == 1)
            return bytes.count
        }
        try test.loop.connect(to: backlog.address, open: recorder.opener)
        let peer = try backlog.accept()
        peer.send("early")
        test.turn(until: "it is received") { recorder.taken.count == 5 }
        #expect(recorder.connectedCount == 1)
    }

    @Test func `a refused connection is told by closed alone`() throws {
        let test = try HandTurnedLoop()
        let backlog = try Backlog(.ipv4)
        let address = backlog.address
        backlog.close()
        let recorder = Recorder()
        try test.loop.connect(to: address, open: recorder.opener)
        test.loop.send(recorder.channel, "lost")
        test.turn(until: "it is closed") { !recorder.closeReasons.isEmpty }
        test.turn(2)
        #expect(recorder.closeReasons == [.failed])
        #expect(recorder.connectedCount == 0)
        #expect(recorder.endedCount == 0)
        #expect(recorder.deliveries.isEmpty)
    }

    @Test func `a Unix socket that is not there is refused at once, and opens no channel`() throws {
        let test = try HandTurnedLoop()
        let folder = try ScratchFolder()
        let path = "\(folder.path)/nobody"
        let recorder = Recorder()
        #expect(throws: SystemCallError("connect", errno: ENOENT, subject: SocketAddress.unix(path: path).description))
        {
            try test.loop.connect(to: .unix(path: path), open: recorder.opener)
        }
        #expect(recorder.address == nil)
        test.turn()
        #expect(recorder.closeReasons.isEmpty)
    }

    @Test func `connections that we make are no clients, in any count`() throws {
        let test = try HandTurnedLoop()
        let backlog = try Backlog()
        let recorder = Recorder.echo()
        try test.loop.connect(to: backlog.address, open: recorder.opener)
        let peer = try backlog.accept()
        let client = try test.connect(Recorder.echo())
        peer.send("ping")
        client.send("hello")
        test.turn(3)
        #expect(peer.receive().bytes.count == 4)
        #expect(test.loop.openChannelCount == 1)
        #expect(test.metrics.value(.connectionsOpen) == 1)
        #expect(test.metrics.value(.receivedBytes) == 5)
        #expect(test.metrics.value(.sentBytes) == 5)
        // The path of what goes through without a copy.
        let long = [UInt8](repeating: 1, count: 20_000)
        long.withUnsafeBytes { test.loop.sendThrough(recorder.channel, $0) }
        #expect(peer.receive().bytes.count == 20_000)
        #expect(recorder.channel.acknowledgedByteCount(on: test.loop) == 20_004, "it still counts for itself")
        peer.close()
        test.loop.close(recorder.channel)
        test.turn(2)
        #expect(recorder.closeReasons == [.requested])
        #expect(test.metrics.value(.sentBytes) == 5)
        #expect(test.metrics.value(.connectionsClosed) == 0)
        #expect(test.metrics.value(.connectionsOpen) == 1)
        #expect(test.loop.openChannelCount == 1)
    }

    @Test func `a write timeout of a connection that we made is no client's`() throws {
        let test = try HandTurnedLoop()
        let backlog = try Backlog()
        let recorder = Recorder()
        try test.loop.connect(to: backlog.address, open: recorder.opener)
        let peer = try backlog.accept()
        test.turn()
        [UInt8](repeating: 0, count: 2_000_000).withUnsafeBytes { test.loop.send(recorder.channel, $0) }
        test.loop.finish(recorder.channel, writeTimeout: 1_000_000_000)
        test.loop.flush(recorder.channel)
        test.advance(by: .seconds(2))
        test.turn()
        #expect(recorder.closeReasons.count == 1)
        #expect(test.metrics.value(.timeoutsWrite) == 0)
        withExtendedLifetime(peer) {}
    }

    @Test func `a slot that an outbound channel has left is a client's again`() throws {
        let test = try HandTurnedLoop()
        let backlog = try Backlog()
        for round in 1...3 {
            let recorder = Recorder()
            try test.loop.connect(to: backlog.address, open: recorder.opener)
            test.turn()
            test.loop.close(recorder.channel)
            test.turn()
            let client = Recorder()
            _ = try test.connect(client)
            test.turn()
            #expect(client.connectedCount == 0)
            #expect(test.loop.openChannelCount == round)
        }
    }

    @Test func `one that is closed before it stands is not told that it stands`() throws {
        let test = try HandTurnedLoop()
        let backlog = try Backlog()
        let recorder = Recorder()
        try test.loop.connect(to: backlog.address, open: recorder.opener)
        test.loop.close(recorder.channel)
        test.turn(3)
        #expect(recorder.connectedCount == 0)
        #expect(recorder.closeReasons == [.requested])
        #expect(try backlog.accept().receive().isEnd)
    }

    @Test func `an event that closes one whose handshake ended in the same turn is the last word`() throws {
        let test = try HandTurnedLoop()
        let backlog = try Backlog()
        let outbound = Recorder()
        let client = Recorder()
        client.onReceived = { loop, _, bytes in
            loop.close(outbound.channel)
            return bytes.count
        }
        let peer = try test.connect(client)
        test.turn()
        // Ready in this order: the client's bytes, then the connection.
        peer.send("x")
        try test.loop.connect(to: backlog.address, open: outbound.opener)
        test.turn(2)
        #expect(client.deliveries.count == 1)
        #expect(outbound.connectedCount == 0)
        #expect(outbound.closeReasons == [.requested])
    }

    @Test func `one that is finished before it stands sends what was queued, and is not told`() throws {
        let test = try HandTurnedLoop()
        let backlog = try Backlog()
        let recorder = Recorder()
        try test.loop.connect(to: backlog.address, open: recorder.opener)
        test.loop.send(recorder.channel, "last words")
        test.loop.finish(recorder.channel, writeTimeout: 5_000_000_000)
        let peer = try backlog.accept()
        test.turn(2)
        let (bytes, isEnd) = peer.receive()
        #expect(bytes == Array("last words".utf8))
        #expect(isEnd)
        #expect(recorder.connectedCount == 0)
        peer.close()
        test.turn(2)
        #expect(recorder.closeReasons.count == 1)
    }

    @Test func `a deadline passes while the handshake is on its way`() throws {
        let test = try HandTurnedLoop()
        let backlog = try Backlog(.ipv4, count: 0)
        // Loopback takes one more than the backlog; from then on nobody answers.
        let first = try Peer.connected(to: backlog.address)
        let recorder = Recorder()
        recorder.onOpened = { loop, channel in channel.setDeadline(loop.now &+ 5_000_000_000, on: loop) }
        recorder.onTimedOut = { loop, channel in
            #expect(channel.isConnecting)
            loop.close(channel)
        }
        try test.loop.connect(to: backlog.address, open: recorder.opener)
        test.advance(by: .milliseconds(4999))
        #expect(recorder.timeouts.isEmpty)
        test.advance(by: .milliseconds(1))
        #expect(recorder.timeouts.count == 1)
        #expect(recorder.connectedCount == 0)
        #expect(recorder.closeReasons == [.requested])
        withExtendedLifetime(first) {}
    }

    @Test func `a loop that stops closes what does not stand yet, and begins nothing more`() throws {
        let test = try HandTurnedLoop()
        let backlog = try Backlog()
        let recorder = Recorder()
        let later = Recorder()
        recorder.onClosed = { loop, _ in
            #expect(throws: SystemCallError.self) { try loop.connect(to: backlog.address, open: later.opener) }
        }
        test.turn()
        try test.loop.connect(to: backlog.address, open: recorder.opener)
        test.end()
        #expect(recorder.closeReasons == [.stopped])
        #expect(later.address == nil)
    }

    // MARK: Ending our side

    @Test func `our side ends at once when nothing is queued, and receiving goes on`() throws {
        let test = try HandTurnedLoop()
        let (recorder, peer) = try standing(test)
        test.loop.endOutput(recorder.channel)
        test.loop.endOutput(recorder.channel)
        #expect(test.loop.hasEndedOutput(recorder.channel))
        #expect(peer.receive().isEnd)
        peer.send("still here")
        test.turn(2)
        #expect(recorder.taken == Array("still here".utf8))
        #expect(recorder.channel.isOpen)
        #expect(recorder.closeReasons.isEmpty)
    }

    @Test func `our side ends behind what is queued, however slowly the peer reads`() throws {
        let test = try HandTurnedLoop()
        let (recorder, peer) = try standing(test)
        var random = SeededGenerator(seed: 7)
        let bytes = random.bytes(1_000_000)
        bytes.withUnsafeBytes { test.loop.send(recorder.channel, $0) }
        test.loop.endOutput(recorder.channel)
        test.loop.flush(recorder.channel)
        #expect(recorder.blockedCount == 1)
        var got: [UInt8] = []
        var isEnd = false
        test.turn(until: "the end comes") {
            let piece = peer.receive(upTo: 40_000)
            got += piece.bytes
            isEnd = piece.isEnd
            return isEnd
        }
        #expect(isEqual(got, bytes))
        #expect(recorder.drainedCount == 1)
        peer.send("and back")
        test.turn(2)
        #expect(recorder.taken == Array("and back".utf8))
    }

    @Test(arguments: ["", "queued"])
    func `our side may be ended before the connection stands`(text: String) throws {
        let test = try HandTurnedLoop()
        let backlog = try Backlog()
        let recorder = Recorder()
        try test.loop.connect(to: backlog.address, open: recorder.opener)
        if !text.isEmpty { test.loop.send(recorder.channel, text) }
        test.loop.endOutput(recorder.channel)
        let peer = try backlog.accept()
        #expect(!peer.receive().isEnd, "it is not over before it stands")
        test.turn(2)
        #expect(recorder.connectedCount == 1)
        let (bytes, isEnd) = peer.receive()
        #expect(bytes == Array(text.utf8))
        #expect(isEnd)
        peer.send("answer")
        test.turn(2)
        #expect(recorder.taken == Array("answer".utf8))
    }

    @Test func `when both sides have ended it is closed by whoever owns it`() throws {
        let test = try HandTurnedLoop()
        let (recorder, peer) = try standing(test)
        recorder.onEnded = { loop, channel in
            #expect(loop.hasEndedOutput(channel))
            loop.close(channel)
        }
        test.loop.endOutput(recorder.channel)
        peer.endSending()
        test.turn(3)
        #expect(recorder.endedCount == 1)
        #expect(recorder.closeReasons == [.requested])
    }

    private func standing(_ test: HandTurnedLoop) throws -> (Recorder, Peer) {
        let backlog = try Backlog()
        let recorder = Recorder()
        try test.loop.connect(to: backlog.address, open: recorder.opener)
        let peer = try backlog.accept()
        test.turn()
        #expect(recorder.connectedCount == 1)
        return (recorder, peer)
    }
}
