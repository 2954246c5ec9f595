// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirMetrics
import WeirTestSupport

@Suite struct ChannelReceiveTests {
    @Test func `bytes that have come are delivered in the next turn`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        test.turn()
        #expect(recorder.deliveries.isEmpty)
        peer.send("hello")
        test.turn()
        #expect(recorder.deliveries == [Array("hello".utf8)])
        #expect(test.metrics.value(.receivedBytes) == 5)
        test.turn(3)
        #expect(recorder.deliveries.count == 1)
    }

    @Test func `what is not taken is delivered again in front of what follows`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        recorder.onReceived = { _, _, bytes in bytes.count < 8 ? 2 : bytes.count }
        let peer = try test.connect(recorder)
        peer.send("abcd")
        test.turn()
        #expect(recorder.channel.hasUntakenBytes)
        peer.send("efgh")
        test.turn()
        peer.send("ijklm")
        test.turn()
        let texts = recorder.deliveries.map { String(decoding: $0, as: UTF8.self) }
        #expect(texts == ["abcd", "cdefgh", "efghijklm"])
        #expect(!recorder.channel.hasUntakenBytes)
    }

    @Test func `untaken bytes alone are not delivered again`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        recorder.onReceived = { _, _, _ in 0 }
        let peer = try test.connect(recorder)
        peer.send("abc")
        test.turn(5)
        #expect(recorder.deliveries.count == 1)
    }

    @Test func `a message of any size can be left until it is whole`() throws {
        let test = try HandTurnedLoop()
        var random = SeededGenerator(seed: 1)
        for size in [2000, 5000, 70_000, 300_000] {
            let recorder = Recorder()
            recorder.onReceived = { _, _, bytes in bytes.count < size ? 0 : bytes.count }
            let peer = try test.connect(recorder)
            let message = random.bytes(size)
            var sent = 0
            while sent < size {
                sent += peer.send(message[sent..<min(size, sent + 7000)])
                test.turn()
            }
            test.turn(20)
            #expect(isEqual(recorder.taken, message), "\(size) bytes")
        }
    }

    @Test func `however much is taken each time, nothing is lost or doubled`() throws {
        let seed = UInt64.random(in: 0...(.max))
        var random = SeededGenerator(seed: seed)
        for round in 0..<30 {
            let test = try HandTurnedLoop()
            let recorder = Recorder()
            var taking = random
            var takesAll = false
            recorder.onReceived = { _, channel, bytes in
                if takesAll { return bytes.count }
                if taking.below(6) == 0 { channel.pause() }
                return taking.below(bytes.count + 1)
            }
            let peer = try test.connect(recorder)
            var all: [UInt8] = []
            for _ in 0..<40 {
                let piece = random.bytes(random.below(round % 3 == 0 ? 40_000 : 300) + 1)
                var sent = 0
                while sent < piece.count {
                    sent += peer.send(piece[sent...])
                    recorder.channel.resume(on: test.loop)
                    test.turn()
                }
                all += piece
            }
            takesAll = true
            peer.send("!")
            recorder.channel.resume(on: test.loop)
            test.turn(100)
            try #require(isEqual(recorder.taken, all + [UInt8(ascii: "!")]), "seed \(seed), round \(round)")
        }
    }

    @Test func `a paused channel is delivered nothing until it resumes`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        recorder.channel.pause()
        #expect(recorder.channel.isPaused)
        peer.send("one")
        test.turn(3)
        #expect(recorder.deliveries.isEmpty)
        recorder.channel.resume(on: test.loop)
        #expect(recorder.deliveries.isEmpty, "not inside the call")
        test.turn()
        #expect(recorder.taken == Array("one".utf8))
    }

    @Test func `what was kept by a pause is delivered again at resume, though nothing follows`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        recorder.onReceived = { _, channel, _ in
            channel.pause()
            return 1
        }
        let peer = try test.connect(recorder)
        peer.send("abc")
        test.turn(3)
        #expect(recorder.deliveries.count == 1)
        recorder.onReceived = { _, _, bytes in bytes.count }
        recorder.channel.resume(on: test.loop)
        test.turn()
        #expect(recorder.deliveries.last == Array("bc".utf8))
        #expect(recorder.taken == Array("abc".utf8))
        peer.send("d")
        test.turn()
        #expect(recorder.taken == Array("abcd".utf8))
    }

    @Test func `the end of the peer is told once, behind its bytes`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        var takenAtEnd = 0
        recorder.onEnded = { _, _ in takenAtEnd = recorder.taken.count }
        let peer = try test.connect(recorder)
        peer.send("last words")
        peer.endSending()
        test.turn(3)
        #expect(recorder.endedCount == 1)
        #expect(takenAtEnd == 10)
        #expect(recorder.channel.isEnded)
        #expect(recorder.channel.isOpen)
        recorder.channel.close(on: test)
    }

    @Test func `after its end the peer can still be sent to`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        recorder.onEnded = { loop, channel in
            Array("answer".utf8).withUnsafeBytes { loop.send(channel, $0) }
        }
        let peer = try test.connect(recorder)
        peer.endSending()
        test.turn()
        #expect(peer.receive().bytes == Array("answer".utf8))
        recorder.channel.close(on: test)
    }

    @Test func `the end of the peer waits behind a pause`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        recorder.channel.pause()
        peer.endSending()
        test.turn(2)
        #expect(recorder.endedCount == 0)
        #expect(recorder.endedWhilePausedCount > 0)
        recorder.channel.resume(on: test.loop)
        test.turn(2)
        #expect(recorder.endedCount == 1)
    }

    @Test(arguments: [true, false])
    func `the end of a peer that has said more than is taken is told during the pause`(comesTogether: Bool) throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        recorder.onReceived = { _, channel, _ in
            channel.pause()
            return 2
        }
        let peer = try test.connect(recorder)
        peer.send("abc")
        if !comesTogether {
            test.turn(2)
            #expect(recorder.endedWhilePausedCount == 0)
        }
        peer.endSending()
        test.turn(2)
        #expect(recorder.endedWhilePausedCount == 1)
        #expect(recorder.endedCount == 0)
        #expect(recorder.taken == Array("ab".utf8))
    }

    @Test func `an end that no pause holds up is told once`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        peer.send("abc")
        peer.endSending()
        test.turn(2)
        #expect(recorder.endedCount == 1)
        #expect(recorder.endedWhilePausedCount == 0)
    }

    @Test func `bytes and end that came during a pause are both delivered`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        recorder.channel.pause()
        peer.send("abc")
        peer.endSending()
        test.turn(2)
        recorder.channel.resume(on: test.loop)
        test.turn(3)
        #expect(recorder.taken == Array("abc".utf8))
        #expect(recorder.endedCount == 1)
    }

    @Test func `an end that comes with a resume waits for what was kept`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        recorder.onReceived = { _, channel, _ in
            channel.pause()
            return 1
        }
        var takenAtEnd = 0
        recorder.onEnded = { _, _ in takenAtEnd = recorder.taken.count }
        let peer = try test.connect(recorder)
        peer.send("abc")
        test.turn()
        recorder.onReceived = { _, _, bytes in bytes.count }
        recorder.channel.resume(on: test.loop)
        peer.endSending()
        test.turn(2)
        #expect(recorder.endedCount == 1)
        #expect(recorder.taken == Array("abc".utf8))
        #expect(takenAtEnd == 3)
        recorder.channel.close(on: test)
    }

    @Test func `more than one turn receives is followed by the peer's end`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        peer.enlargeSendBuffer()
        var random = SeededGenerator(seed: 3)
        let bytes = random.bytes(5 * EventLoop.receiveBufferCount + 100)
        try #require(peer.send(bytes) == bytes.count)
        peer.endSending()
        test.turn(10)
        #expect(isEqual(recorder.taken, bytes))
        #expect(recorder.endedCount == 1)
    }

    @Test func `64 KiB come in one delivery with a head in front`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        let bytes = [UInt8](repeating: 7, count: (64 << 10) + 4000)
        peer.enlargeSendBuffer()
        try #require(peer.send(bytes) == bytes.count)
        test.turn(until: "it has come") { !recorder.deliveries.isEmpty }
        #expect(recorder.deliveries.map(\.count) == [bytes.count])
    }

    @Test func `one that sends much does not hold the others up`() throws {
        let test = try HandTurnedLoop()
        let busy = Recorder()
        let quiet = Recorder()
        var busyByteCountBefore = 0
        quiet.onReceived = { _, _, bytes in
            busyByteCountBefore = busy.taken.count
            return bytes.count
        }
        let busyPeer = try test.connect(busy)
        let quietPeer = try test.connect(quiet)
        busyPeer.enlargeSendBuffer()
        let bytes = [UInt8](repeating: 1, count: 6 * EventLoop.receiveBufferCount)
        #expect(busyPeer.send(bytes) == bytes.count)
        quietPeer.send("me too")
        test.turn()
        #expect(quiet.taken.count == 6)
        #expect(busyByteCountBefore == 4 * EventLoop.receiveBufferCount)
        test.turn(5)
        #expect(busy.taken.count == bytes.count)
    }
}

extension Channel {
    /// Closes the channel at the end of a test, so that its recorder is let go.
    func close(on test: HandTurnedLoop) {
        test.loop.close(self)
        test.turn()
    }
}
