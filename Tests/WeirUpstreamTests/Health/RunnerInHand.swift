// SPDX-License-Identifier: Apache-2.0
// A runner on a loop that has no thread: the test turns it, and moves its clock.

import Testing
import WeirEventLoop
import WeirMetrics
import WeirTestSupport
import WeirUpstream

/// Checks in the test's hands; each first runs after half a second.
///
/// `@unchecked Sendable`: there is one thread.
final class RunnerInHand: @unchecked Sendable {
    let clock = ManualClock()
    let loop: EventLoop
    let runner: CheckRunner
    private(set) var updates: [CheckUpdate] = []

    init(_ change: (inout CheckRunner.Options) -> Void = { _ in }) throws {
        loop = try EventLoop(index: 0, name: "test", metrics: MetricsShard(), clock: .manual(clock))
        var options = CheckRunner.Options()
        options.firstDelay = { _ in .milliseconds(500) }
        change(&options)
        runner = CheckRunner(on: loop, options: options)
    }

    deinit {
        runner.stop()
        loop.stop()
        loop.run()
    }

    func add(_ definition: CheckDefinition, at addresses: (@Sendable () -> [SocketAddress])? = nil)
        -> CheckRunner.CheckID
    {
        runner.add(definition, at: addresses) { [unowned self] in updates.append($0) }
    }

    /// Turns without waiting: a loop for which a message waits does not sleep.
    func turn(_ count: Int = 2) {
        for _ in 0..<count {
            loop.submit { _ in }
            loop.turn()
        }
    }

    func advance(by duration: Duration) {
        clock.advance(by: duration.nanosecondsClamped)
        turn()
    }

    /// Turns until so many updates have come; answers the last one.
    func update(_ number: Int, sourceLocation: SourceLocation = #_sourceLocation) throws -> CheckUpdate {
        eventually("update \(number) comes", sourceLocation: sourceLocation) {
            turn(1)
            return updates.count >= number
        }
        #expect(updates.count == number, sourceLocation: sourceLocation)
        return try #require(updates.last)
    }

    /// The next connection of an endpoint, and the request that comes on it.
    func request(at endpoint: ScriptedEndpoint) throws -> (peer: ScriptedPeer, text: String) {
        turn()
        let peer = try endpoint.accept()
        var text = ""
        eventually("a request comes") {
            turn(1)
            text += peer.receive().text
            return text.contains("\r\n\r\n")
        }
        return (peer, text)
    }
}
