// SPDX-License-Identifier: Apache-2.0
// A pool on a loop that has no thread: the test turns it, and moves its clock.

import Testing
import WeirEventLoop
import WeirHTTP
import WeirMetrics
import WeirTestSupport
import WeirUpstream

/// One loop's connections to an upstream, in the test's hands.
final class PoolInHand {
    let clock: ManualClock
    let loop: EventLoop
    let upstream: Upstream
    let pool: UpstreamPool
    /// Kept until the end: the pool knows them by their addresses.
    private var requests: [TestRequest] = []

    convenience init(_ endpoints: ScriptedEndpoint..., policy: (inout UpstreamPolicy) -> Void = { _ in }) throws {
        var changed = UpstreamPolicy()
        // Tests of other things can tell who is next, and fail as often as they like.
        changed.balancing = .roundRobin
        changed.circuit = nil
        policy(&changed)
        try self.init(Upstream(name: "test", endpoints: endpoints.map(\.url), policy: changed))
    }

    init(_ upstream: Upstream, index: Int = 0, clock: ManualClock = ManualClock()) throws {
        self.clock = clock
        self.upstream = upstream
        loop = try EventLoop(index: index, name: "test", metrics: MetricsShard(), clock: .manual(clock))
        pool = UpstreamPool(upstream, loop: loop, events: TestRequest.events)
        loop.hooks.ended = { [pool] in pool.end() }
    }

    deinit {
        if !loop.hasEnded { end() }
    }

    /// Ends the loop as its thread would, which closes every connection.
    func end() {
        loop.stop()
        loop.run()
    }

    /// Turns without waiting: a loop for which a message waits does not sleep.
    func turn(_ count: Int = 2) {
        for _ in 0..<count {
            loop.submit { _ in }
            loop.turn()
        }
    }

    func turn(until what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool) {
        eventually(what, sourceLocation: sourceLocation) {
            turn(1)
            return condition()
        }
    }

    func advance(by duration: Duration) {
        clock.advance(by: duration.nanosecondsClamped)
        turn()
    }

    func request(_ method: HTTPMethod = .get) -> TestRequest {
        let request = TestRequest(self, method)
        requests.append(request)
        return request
    }

    /// Publishes a configuration that says this of the upstream, and has the loop take it over.
    func replace(_ urls: [EndpointURL], policy: UpstreamPolicy) {
        upstream.begin(upstream.draft(urls, policy: policy))
        pool.adopt(upstream.edition)
    }

    /// The endpoint at this place, with its counts.
    subscript(_ index: Int) -> Endpoint { upstream.endpoints[index] }

    func failures(_ label: String, at index: Int = 0) -> UInt64? {
        upstream.endpoints[index].failureCounts.first { "\($0.label)" == label }?.count
    }
}
