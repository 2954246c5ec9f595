// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop

@Suite struct ChannelDeadlineTests {
    @Test func `timedOut comes when the deadline has passed, once`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        let deadline = test.instant(in: .seconds(3))
        recorder.channel.setDeadline(deadline, on: test.loop)
        test.advance(by: .milliseconds(2999))
        #expect(recorder.timeouts.isEmpty)
        test.advance(by: .milliseconds(1))
        #expect(recorder.timeouts == [deadline])
        test.advance(by: .seconds(100))
        #expect(recorder.timeouts.count == 1)
        withExtendedLifetime(peer) {}
    }

    @Test func `a deadline that is moved on does not come at its old instant`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        for _ in 0..<10 {
            recorder.channel.setDeadline(test.instant(in: .seconds(1)), on: test.loop)
            test.advance(by: .milliseconds(900))
        }
        #expect(recorder.timeouts.isEmpty)
        test.advance(by: .milliseconds(100))
        #expect(recorder.timeouts.count == 1)
        withExtendedLifetime(peer) {}
    }

    @Test func `a deadline that is moved forward comes at its new instant`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        recorder.channel.setDeadline(test.instant(in: .seconds(60)), on: test.loop)
        recorder.channel.setDeadline(test.instant(in: .seconds(1)), on: test.loop)
        test.advance(by: .seconds(1))
        #expect(recorder.timeouts.count == 1)
        withExtendedLifetime(peer) {}
    }

    @Test func `never means never`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        recorder.channel.setDeadline(test.instant(in: .seconds(1)), on: test.loop)
        recorder.channel.setDeadline(.max, on: test.loop)
        test.advance(by: .seconds(1_000_000))
        #expect(recorder.timeouts.isEmpty)
        recorder.channel.setDeadline(test.instant(in: .seconds(1)), on: test.loop)
        test.advance(by: .seconds(1))
        #expect(recorder.timeouts.count == 1)
        withExtendedLifetime(peer) {}
    }

    @Test func `timedOut may set the next deadline and send`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        recorder.onTimedOut = { loop, channel in
            Array("t".utf8).withUnsafeBytes { loop.send(channel, $0) }
            channel.setDeadline(loop.now + 1_000_000_000, on: loop)
        }
        let peer = try test.connect(recorder)
        recorder.channel.setDeadline(test.instant(in: .seconds(1)), on: test.loop)
        for _ in 0..<5 { test.advance(by: .seconds(1)) }
        #expect(recorder.timeouts.count == 5)
        #expect(peer.receive().bytes.count == 5)
    }

    @Test func `a closed channel has no deadline, and the next in its slot none of its own`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let peer = try test.connect(recorder)
        recorder.channel.setDeadline(test.instant(in: .seconds(1)), on: test.loop)
        recorder.channel.close(on: test)
        let next = Recorder()
        let nextPeer = try test.connect(next)
        test.advance(by: .seconds(5))
        #expect(recorder.timeouts.isEmpty)
        #expect(next.timeouts.isEmpty)
        withExtendedLifetime((peer, nextPeer)) {}
    }
}
