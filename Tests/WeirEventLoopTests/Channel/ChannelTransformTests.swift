// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirMetrics
import WeirTestSupport

@Suite struct ChannelTransformTests {
    /// A loop with one channel behind a transform, and its peer.
    private final class Bench {
        let test: HandTurnedLoop
        let recorder: Recorder
        let peer: Peer
        let transform: MaskTransform

        init(_ recorder: Recorder = Recorder(), isGreeted: Bool = true) throws {
            test = try HandTurnedLoop()
            self.recorder = recorder
            var transform: MaskTransform?
            recorder.onOpened = { loop, channel in transform = MaskTransform.attach(loop, channel) }
            peer = try test.connect(recorder)
            self.transform = try #require(transform)
            guard isGreeted else { return }
            peer.send(MaskTransform.record(.hello))
            test.turn()
            #expect(MaskTransform.records(peer.receive().bytes).map(\.kind) == [.hello])
        }

        var loop: EventLoop { test.loop }
    }

    @Test func `the protocol hears of the connection when both sides have agreed, before it gets anything`() throws {
        let bench = try Bench(isGreeted: false)
        bench.test.turn()
        #expect(bench.recorder.connectedCount == 0)
        bench.recorder.onReceived = { [recorder = bench.recorder] _, _, bytes in
            #expect(recorder.connectedCount == 1)
            return bytes.count
        }
        bench.peer.send(MaskTransform.record(.hello) + MaskTransform.data("hello"))
        bench.test.turn()
        #expect(bench.recorder.deliveries == [Array("hello".utf8)])
        #expect(bench.recorder.connectedCount == 1)
    }

    @Test func `a protocol that is handed the channel gets what follows`() throws {
        let bench = try Bench(isGreeted: false)
        let next = Recorder()
        let address = SocketAddress.unix(path: "there")
        bench.recorder.onConnected = { [recorder = bench.recorder] loop, channel in
            // It goes without being closed.
            Unmanaged.passUnretained(recorder).release()
            loop.hand(channel, address, to: next.opener)
        }
        bench.peer.send(MaskTransform.record(.hello) + MaskTransform.data("for the next"))
        bench.test.turn()
        #expect(next.taken == Array("for the next".utf8))
        #expect(next.address == address)
        bench.test.end()
        #expect(bench.recorder.closeReasons.isEmpty)
        #expect(next.closeReasons == [.stopped])
    }

    @Test func `bytes arrive as they were sent, however they are cut and taken`() throws {
        let seed = UInt64.random(in: 0...(.max))
        var random = SeededGenerator(seed: seed)
        for _ in 0..<20 {
            let bench = try Bench()
            var taking = random
            bench.recorder.onReceived = { _, channel, bytes in
                if taking.oneIn(6) { channel.pause() }
                return bytes.count < 40 ? bytes.count : taking.below(bytes.count + 1)
            }
            let message = random.bytes(200_000)
            var wire: [UInt8] = []
            var start = 0
            while start < message.count {
                let end = min(message.count, start + 1 + random.below(16_000))
                wire += MaskTransform.record(.data, message[start..<end])
                start = end
            }
            var sent = 0
            while sent < wire.count {
                sent += bench.peer.send(wire[sent..<min(wire.count, sent + 1 + random.below(30_000))])
                bench.test.turn()
                bench.recorder.channel.resume(on: bench.loop)
            }
            bench.recorder.onReceived = { _, _, bytes in bytes.count }
            bench.recorder.channel.pause()
            bench.recorder.channel.resume(on: bench.loop)
            bench.test.turn(10)
            #expect(isEqual(bench.recorder.taken, message), "seed \(seed)")
        }
    }

    @Test func `what has passed the transform when the protocol pauses is kept, and delivered at resume`() throws {
        let bench = try Bench()
        bench.recorder.onReceived = { _, channel, _ in
            channel.pause()
            return 3
        }
        bench.peer.send(MaskTransform.data("onetwo") + MaskTransform.data("three"))
        bench.test.turn(3)
        #expect(bench.recorder.taken == Array("one".utf8))
        #expect(bench.recorder.channel.hasUntakenBytes)
        bench.peer.send(MaskTransform.data("four"))
        bench.test.turn(3)
        #expect(bench.recorder.deliveries.count == 1)
        bench.recorder.onReceived = { _, _, bytes in bytes.count }
        bench.recorder.channel.resume(on: bench.loop)
        bench.test.turn(3)
        #expect(bench.recorder.taken == Array("onetwothreefour".utf8))
    }

    @Test func `the peer's end is told behind what came before it, also when that was paused`() throws {
        let bench = try Bench()
        bench.recorder.onReceived = { _, channel, _ in
            channel.pause()
            return 0
        }
        bench.peer.send(MaskTransform.data("last") + MaskTransform.record(.end))
        bench.test.turn(3)
        #expect(bench.recorder.endedCount == 0)
        bench.recorder.onReceived = { _, _, bytes in bytes.count }
        bench.recorder.channel.resume(on: bench.loop)
        bench.test.turn(3)
        #expect(bench.recorder.taken == Array("last".utf8))
        #expect(bench.recorder.endedCount == 1)
        bench.loop.send(bench.recorder.channel, "answer")
        bench.loop.flush(bench.recorder.channel)
        #expect(MaskTransform.content(bench.peer.receive().bytes) == Array("answer".utf8))
    }

    @Test func `a client's socket may end without that being told`() throws {
        let bench = try Bench()
        bench.peer.send(MaskTransform.data("request"))
        bench.peer.endSending()
        bench.test.turn(3)
        #expect(bench.recorder.taken == Array("request".utf8))
        #expect(bench.recorder.endedCount == 1)
        #expect(bench.recorder.closeReasons.isEmpty)
    }

    @Test func `what is sent arrives whole and in order, as the peer takes it`() throws {
        let bench = try Bench()
        var random = SeededGenerator(seed: 9)
        let message = random.bytes(3_000_000)
        message.withUnsafeBytes { bench.loop.send(bench.recorder.channel, $0) }
        #expect(bench.recorder.channel.queuedByteCount == message.count)
        bench.loop.flush(bench.recorder.channel)
        #expect(bench.recorder.blockedCount == 1)
        var wire: [UInt8] = []
        bench.test.turn(until: "all has come") {
            wire += bench.peer.receive().bytes
            return bench.recorder.drainedCount == 1
        }
        wire += bench.peer.receive().bytes
        #expect(isEqual(MaskTransform.content(wire), message))
        #expect(bench.recorder.channel.queuedByteCount == 0)
        #expect(bench.recorder.channel.outputPosition == UInt64(message.count))
        #expect(bench.test.metrics.value(.sentBytes) == UInt64(wire.count) + 3)
    }

    @Test func `the output of a protocol that speaks too soon waits for the handshake`() throws {
        let recorder = Recorder()
        let bench = try Bench(recorder, isGreeted: false)
        bench.loop.send(recorder.channel, "early")
        bench.loop.flush(recorder.channel)
        bench.test.turn()
        #expect(bench.peer.receive().bytes.isEmpty)
        bench.peer.send(MaskTransform.record(.hello))
        bench.test.turn()
        let records = MaskTransform.records(bench.peer.receive().bytes)
        #expect(records.map(\.kind) == [.hello, .data])
        #expect(records.last?.content == Array("early".utf8))
    }

    @Test func `records are small at first, whole after the first flight, and small again after a second of silence`()
        throws
    {
        let bench = try Bench()
        let piece = [UInt8](repeating: 1, count: 60_000)
        func records() -> [Int] {
            let before = bench.transform.recordByteCounts.count
            piece.withUnsafeBytes { bench.loop.send(bench.recorder.channel, $0) }
            bench.loop.flush(bench.recorder.channel)
            _ = bench.peer.receive()
            return Array(bench.transform.recordByteCounts[before...])
        }
        let first = records()
        #expect(first.prefix(10).allSatisfy { $0 <= 1360 })
        #expect(first.max() ?? 0 > 10_000)
        #expect(first.reduce(0, +) == 60_000)
        #expect(records().count == 4)
        bench.test.advance(by: .milliseconds(1001))
        #expect(records().prefix(10).allSatisfy { $0 <= 1360 })
    }

    @Test func `what was not sent can be taken back`() throws {
        let bench = try Bench()
        bench.loop.send(bench.recorder.channel, "kept")
        let position = bench.recorder.channel.outputPosition
        bench.loop.send(bench.recorder.channel, " and taken back")
        #expect(bench.loop.takeBackOutput(bench.recorder.channel, to: position))
        bench.loop.flush(bench.recorder.channel)
        #expect(MaskTransform.content(bench.peer.receive().bytes) == Array("kept".utf8))
        #expect(!bench.loop.takeBackOutput(bench.recorder.channel, to: 0))
    }

    @Test func `our end is told behind what was queued, and receiving goes on`() throws {
        let bench = try Bench()
        bench.loop.send(bench.recorder.channel, "last")
        bench.loop.endOutput(bench.recorder.channel)
        bench.test.turn()
        let (bytes, isEnd) = bench.peer.receive()
        #expect(MaskTransform.records(bytes).map(\.kind) == [.data, .end])
        #expect(isEnd)
        bench.peer.send(MaskTransform.data("still there"))
        bench.test.turn()
        #expect(bench.recorder.taken == Array("still there".utf8))
    }

    @Test func `a channel that is finished tells its end, lingers, and frees what it had`() throws {
        let bench = try Bench()
        bench.loop.send(bench.recorder.channel, "bye")
        bench.loop.finish(bench.recorder.channel, writeTimeout: 1_000_000_000)
        bench.loop.flush(bench.recorder.channel)
        bench.test.turn()
        let (bytes, isEnd) = bench.peer.receive()
        #expect(MaskTransform.records(bytes).map(\.kind) == [.data, .end])
        #expect(isEnd)
        #expect(bench.recorder.closeReasons.isEmpty)
        bench.peer.close()
        bench.test.turn(until: "it is closed") { !bench.recorder.closeReasons.isEmpty }
        #expect(bench.transform.isReleased)
        #expect(bench.test.metrics.value(.bufferBytes) == 0)
    }

    @Test(arguments: [false, true])
    func `what the transform answers, the output and its end go out in one call`(isLast: Bool) throws {
        let script = MaskTransform.record(.hello) + MaskTransform.record(.question, [7]) + MaskTransform.data("ask")
        var pieces: [[UInt8]] = []
        let poller = ReplayPoller(script: script, rounds: 1) { pieces.append(Array($0)) }
        let test = try HandTurnedLoop(poller: .replay(.passUnretained(poller)))
        let recorder = Recorder()
        recorder.onOpened = { loop, channel in MaskTransform.attach(loop, channel) }
        recorder.onReceived = { loop, channel, bytes in
            loop.send(channel, "answer")
            if isLast { loop.finish(channel, writeTimeout: 1_000_000_000) }
            return bytes.count
        }
        // No descriptor, so that closing it closes nothing.
        test.loop.adopt(descriptor: -2, address: .unix(path: ""), open: recorder.opener)
        test.turn()
        let kinds = [.hello, .question, .data] + (isLast ? [MaskTransform.Kind.end] : [])
        #expect(pieces.map { MaskTransform.records($0).map(\.kind) } == [kinds])
        test.end()
        withExtendedLifetime(poller) {}
    }

    @Test(
        arguments: [
            ("", false, []), ("answer", false, [.data, .end]), ("", true, [.end]), ("answer", true, [.data, .end]),
        ] as [(String, Bool, [MaskTransform.Kind])]
    )
    func `a client that has left without a word is told nothing, unless it still gets an answer`(
        answer: String,
        isTold: Bool,
        kinds: [MaskTransform.Kind]
    ) throws {
        let bench = try Bench()
        bench.recorder.onEnded = { loop, channel in
            if !answer.isEmpty { loop.send(channel, answer) }
            loop.finish(channel, writeTimeout: 1_000_000_000)
        }
        if isTold { bench.peer.send(MaskTransform.record(.end)) }
        bench.peer.endSending()
        bench.test.turn(until: "it has ended") { bench.recorder.closeReasons == [.requested] }
        let (bytes, isEnd) = bench.peer.receive()
        #expect(MaskTransform.records(bytes).map(\.kind) == kinds)
        #expect(isEnd)
    }

    @Test func `a client that has left while its answer waits for the kernel is told the end behind it`() throws {
        let bench = try Bench()
        let answer = [UInt8](repeating: 7, count: 2_000_000)
        bench.recorder.onEnded = { loop, channel in loop.finish(channel, writeTimeout: 10_000_000_000) }
        answer.withUnsafeBytes { bench.loop.send(bench.recorder.channel, $0) }
        bench.loop.flush(bench.recorder.channel)
        #expect(bench.recorder.blockedCount == 1)
        bench.peer.endSending()
        var wire: [UInt8] = []
        bench.test.turn(until: "it has ended") {
            wire += bench.peer.receive().bytes
            return bench.recorder.closeReasons == [.requested]
        }
        wire += bench.peer.receive().bytes
        #expect(MaskTransform.records(wire).last?.kind == .end)
        #expect(isEqual(MaskTransform.content(wire), answer))
    }

    @Test func `a client that has left and is still served is told our end when it comes`() throws {
        let bench = try Bench()
        bench.peer.endSending()
        bench.test.turn(until: "it is known") { bench.recorder.endedCount == 1 }
        bench.loop.endOutput(bench.recorder.channel)
        bench.test.turn()
        let (bytes, isEnd) = bench.peer.receive()
        #expect(MaskTransform.records(bytes).map(\.kind) == [.end])
        #expect(isEnd)
    }

    @Test func `a client that speaks something else is told so, and has time to read it`() throws {
        let bench = try Bench(isGreeted: false)
        bench.peer.send("GET / HTTP/1.1\r\n\r\n")
        bench.test.turn(2)
        let (bytes, isEnd) = bench.peer.receive()
        #expect(bytes == Array("go away".utf8))
        #expect(isEnd)
        bench.peer.close()
        bench.test.turn(until: "it is closed") { bench.recorder.closeReasons == [.requested] }
        #expect(bench.recorder.connectedCount == 0)
    }

    @Test func `a connection that breaks later is closed at once`() throws {
        let bench = try Bench()
        bench.peer.send("nonsense")
        bench.test.turn()
        #expect(bench.recorder.closeReasons == [.failed])
    }

    @Test func `a peer that asks the transform on and on and does not read is closed`() throws {
        let bench = try Bench()
        let question = MaskTransform.record(.question, [UInt8](repeating: 7, count: 10_000))
        bench.peer.send(question)
        bench.test.turn()
        #expect(MaskTransform.records(bench.peer.receive().bytes).map(\.kind) == [.question])
        bench.test.turn(until: "it is closed") {
            bench.peer.send(question)
            return bench.recorder.closeReasons == [.failed]
        }
    }

    @Test func `a client that leaves in its handshake is gone`() throws {
        let bench = try Bench(isGreeted: false)
        bench.peer.close()
        bench.test.turn(2)
        #expect(bench.recorder.closeReasons == [.failed])
        #expect(bench.transform.isReleased)
    }

    @Test func `so many handshakes are worked on in a turn, in the order in which they came; others go first`() throws {
        let test = try HandTurnedLoop()
        test.loop.handshakesPerTurn = 2
        var order: [Int] = []
        func connect(_ number: Int) throws -> (Peer, Recorder) {
            let recorder = Recorder()
            recorder.onOpened = { loop, channel in MaskTransform.attach(loop, channel) }
            recorder.onConnected = { _, _ in order.append(number) }
            return (try test.connect(recorder), recorder)
        }
        let (established, recorder) = try connect(0)
        established.send(MaskTransform.record(.hello))
        test.turn()
        #expect(order == [0])
        let waiting = try (1...6).map(connect)
        for (peer, _) in waiting { peer.send(MaskTransform.record(.hello)) }
        established.send(MaskTransform.data("now"))
        test.turn()
        #expect(order.count == 3)
        #expect(recorder.taken == Array("now".utf8))
        #expect(test.metrics.value(.handshakesDelayed) == 4)
        let (late, _) = try connect(7)
        late.send(MaskTransform.record(.hello))
        test.turn()
        test.turn()
        #expect(Set(order) == Set(0...6))
        test.turn()
        #expect(order.last == 7)
    }

    @Test(arguments: [true, false])
    func `handshakes with clients and with servers do not wait for each other`(isFloodOutbound: Bool) throws {
        let test = try HandTurnedLoop()
        test.loop.handshakesPerTurn = 1
        let backlog = try Backlog()
        var connected: [Bool] = []
        func open(isOutbound: Bool) throws -> Peer {
            let recorder = Recorder()
            recorder.onOpened = { loop, channel in MaskTransform.attach(loop, channel) }
            recorder.onConnected = { _, _ in connected.append(isOutbound) }
            guard isOutbound else { return try test.connect(recorder) }
            try test.loop.connect(to: backlog.address, open: recorder.opener)
            let peer = try backlog.accept()
            test.turn(until: "it greets") { !peer.receive().bytes.isEmpty }
            return peer
        }
        let flood = try (0..<4).map { _ in try open(isOutbound: isFloodOutbound) }
        let other = try open(isOutbound: !isFloodOutbound)
        for peer in flood { peer.send(MaskTransform.record(.hello)) }
        other.send(MaskTransform.record(.hello))
        test.turn()
        #expect(connected.count == 2)
        #expect(connected.contains(!isFloodOutbound))
    }

    @Test func `a connection of ours speaks first, and is connected when it is answered`() throws {
        let test = try HandTurnedLoop()
        let backlog = try Backlog()
        let recorder = Recorder()
        recorder.onOpened = { loop, channel in
            MaskTransform.attach(loop, channel)
            loop.send(channel, "request")
        }
        try test.loop.connect(to: backlog.address, open: recorder.opener)
        let peer = try backlog.accept()
        test.turn(until: "it greets") { MaskTransform.records(peer.receive().bytes).map(\.kind) == [.hello] }
        #expect(recorder.connectedCount == 0)
        peer.send(MaskTransform.record(.hello))
        test.turn(until: "it is connected") { recorder.connectedCount == 1 }
        #expect(MaskTransform.content(peer.receive().bytes) == Array("request".utf8))
        // What ends without being told so may be a part only.
        peer.close()
        test.turn(until: "it is closed") { !recorder.closeReasons.isEmpty }
        #expect(recorder.closeReasons == [.failed])
        #expect(recorder.endedCount == 0)
    }

    @Test func `a connection of ours that is closed at once tells its end`() throws {
        let test = try HandTurnedLoop()
        let backlog = try Backlog()
        let recorder = Recorder()
        recorder.onOpened = { loop, channel in MaskTransform.attach(loop, channel) }
        try test.loop.connect(to: backlog.address, open: recorder.opener)
        let peer = try backlog.accept()
        peer.send(MaskTransform.record(.hello))
        test.turn(until: "it is connected") { recorder.connectedCount == 1 }
        _ = peer.receive()
        test.loop.close(recorder.channel)
        test.turn()
        #expect(MaskTransform.records(peer.receive().bytes).map(\.kind) == [.end])
        #expect(recorder.closeReasons == [.requested])
    }
}
