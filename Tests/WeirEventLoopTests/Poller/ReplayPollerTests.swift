// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirMetrics

@Suite struct ReplayPollerTests {
    private static let script = Array("once more\n".utf8)

    /// Descriptors that do not exist, so that closing one closes nothing.
    private static func noDescriptor(_ index: Int) -> Int32 { -2 - Int32(index) }

    @Test(arguments: [(1, 1), (1, 1000), (3, 50), (64, 2)])
    func `each connection receives the script the given number of rounds`(connections: Int, rounds: Int) throws {
        var sentByteCount = 0
        let poller = ReplayPoller(script: Self.script, rounds: rounds) { sentByteCount += $0.count }
        let loop = try EventLoop(
            index: 0,
            name: "replay",
            metrics: MetricsShard(),
            clock: .manual(ManualClock()),
            poller: .replay(.passUnretained(poller))
        )
        let recorders = (0..<connections).map { _ in Recorder.echo() }
        for (index, recorder) in recorders.enumerated() {
            loop.adopt(descriptor: Self.noDescriptor(index), address: .unix(path: ""), open: recorder.opener)
        }
        poller.finished = { loop.stop() }
        loop.run()
        for recorder in recorders {
            #expect(recorder.deliveries.count == rounds)
            #expect(recorder.deliveries.allSatisfy { $0 == Self.script })
            #expect(recorder.closeReasons == [.stopped])
        }
        withExtendedLifetime(poller) {}
        #expect(sentByteCount == connections * rounds * Self.script.count)
    }

    @Test func `an event that names a channel of the past reaches nobody`() throws {
        let poller = ReplayPoller(script: Self.script, rounds: 5) { _ in }
        let test = try HandTurnedLoop(poller: .replay(.passUnretained(poller)))
        let past = Recorder()
        past.onReceived = { loop, channel, bytes in
            loop.close(channel)
            return bytes.count
        }
        test.loop.adopt(descriptor: Self.noDescriptor(0), address: .unix(path: ""), open: past.opener)
        test.turn()
        #expect(past.closeReasons == [.requested])
        // The poller goes on reporting the closed one; its slot belongs to another channel now.
        let present = Recorder()
        test.loop.adopt(descriptor: Self.noDescriptor(1), address: .unix(path: ""), open: present.opener)
        test.turn(10)
        #expect(past.deliveries.count == 1)
        #expect(present.deliveries.count == 5)
        test.end()
        withExtendedLifetime(poller) {}
    }
}
