// SPDX-License-Identifier: Apache-2.0
// A loop that has no thread: the test turns it, and moves its clock.

import CWeirSystem
import Testing
import WeirEventLoop
import WeirMetrics
import WeirTestSupport

/// An event loop in the test's hands.
final class HandTurnedLoop {
    let clock = ManualClock()
    let metrics = MetricsShard()
    let loop: EventLoop
    /// Kept until the end: a test ends a peer by `close`, not by looking at it for the last time.
    private var peers: [Peer] = []

    init(index: Int = 0, poller: Poller? = nil) throws {
        loop = try EventLoop(index: index, name: "test", metrics: metrics, clock: .manual(clock), poller: poller)
    }

    /// Ends the loop as its thread would, which closes every channel.
    deinit {
        if !loop.hasEnded { end() }
    }

    func end() {
        loop.stop()
        loop.run()
    }

    /// Turns without waiting: a loop for which a message waits does not sleep.
    func turn(_ count: Int = 1) {
        for _ in 0..<count {
            loop.submit { _ in }
            loop.turn()
        }
    }

    /// Turns until `condition` holds.
    func turn(
        until what: Comment,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ condition: () -> Bool
    ) {
        eventually(what, sourceLocation: sourceLocation) {
            turn()
            return condition()
        }
    }

    func advance(by duration: Duration) {
        clock.advance(by: duration.nanosecondsClamped)
        turn()
    }

    func instant(in duration: Duration) -> Nanoseconds { clock.now + duration.nanosecondsClamped }

    /// Opens a channel over a pair of connected sockets; answers its other end.
    func connect(_ recorder: Recorder) throws -> Peer {
        var pair: [Int32] = [-1, -1]
        try #require(weir_socketpair(&pair) == 0)
        loop.adopt(descriptor: pair[1], address: .unix(path: ""), open: recorder.opener)
        let peer = Peer(descriptor: pair[0])
        peers.append(peer)
        return peer
    }
}

extension EventLoop {
    /// Queues a text.
    func send(_ channel: Channel, _ text: String) {
        Array(text.utf8).withUnsafeBytes { send(channel, $0) }
    }
}
