// SPDX-License-Identifier: Apache-2.0
// The thread for what is no request: sources of endpoints, names, health checks, and the weights that come of them. Owned
// by the engine.

import Glibc
import Logging
import Synchronization
import WeirEventLoop
import WeirMetrics
package import WeirUpstream

/// An event loop beside those that serve: a name server that is slow or a thousand checks take nothing from a request.
final class ControlLoop: Sendable {
    private enum Phase {
        /// With what is to be followed once it runs.
        case made([FollowedUpstream])
        case running
        case ended

        var isRunning: Bool { if case .running = self { true } else { false } }
    }

    private let loop: EventLoop
    private let control: UpstreamControl
    private let phase = Mutex(Phase.made([]))
    private let thread = Mutex<SystemThread?>(nil)

    /// - Parameter openNames: what looks names up on the loop; nil for the system's resolver.
    init(
        logger: Logger,
        options: ControlOptions = ControlOptions(),
        openNames: (@Sendable (EventLoop) -> any NameSource)? = nil
    ) throws(SystemCallError) {
        let loop = try EventLoop(index: 0, name: "weir-control", metrics: MetricsShard())
        self.loop = loop
        control = UpstreamControl(on: loop, names: openNames?(loop) ?? SystemNames(on: loop), options, logger)
    }

    /// Starts the thread.
    func start() throws(SystemCallError) {
        let first = phase.withLock { phase -> [FollowedUpstream] in
            guard case .made(let upstreams) = phase else { preconditionFailure("a control loop is started once") }
            phase = .running
            return upstreams
        }
        send(first)
        var started: SystemThread? = try SystemThread.start { [loop] in loop.run() }
        thread.withLock { $0 = started.take() }
    }

    /// From now on these upstreams are looked after, as their plans say. What stays keeps its source, its checks and
    /// their counts; what is not among them is let go. Any thread.
    func follow(_ upstreams: [FollowedUpstream]) {
        let isRunning = phase.withLock { phase in
            if case .made = phase { phase = .made(upstreams) }
            return phase.isRunning
        }
        if isRunning { send(upstreams) }
    }

    private func send(_ upstreams: [FollowedUpstream]) {
        loop.submit { [control] _ in control.follow(upstreams) }
    }

    /// How long a file that cannot be read delays the end.
    private static let stopGrace: Nanoseconds = 1_000_000_000

    /// Lets go of everything and ends the thread. Returns when it has ended, or when something has held it for too long.
    func stop() {
        let wasRunning = phase.withLock { phase in
            defer { phase = .ended }
            return phase.isRunning
        }
        guard wasRunning, let thread = thread.withLock({ $0.take() }) else { return }
        loop.submit { [control] _ in control.stop() }
        loop.stop()
        let end = LoopClock.monotonic.now &+ Self.stopGrace
        while !loop.hasEnded, LoopClock.monotonic.now < end { usleep(1000) }
        // Else it is detached, and keeps what it may still touch.
        if loop.hasEnded { thread.join() }
    }
}

/// What is given to all upstreams alike. A value, made at start.
package struct ControlOptions: Sendable {
    /// Shown to Consul servers; empty for none. A secret.
    package var consulToken = ""
    package var checks = CheckRunner.Options()

    package init() {}
}

/// An upstream, and what is to become of it.
package struct FollowedUpstream: Sendable {
    package let upstream: Upstream
    let plan: UpstreamPlan
}

extension FollowedUpstream {
    /// The upstream becomes it at once. Without endpoints it has those that it had.
    package init(
        _ upstream: Upstream,
        endpoints given: [EndpointURL]? = nil,
        discover: DiscoverySource? = nil,
        check: HealthCheckConfiguration? = nil
    ) {
        let endpoints = given ?? upstream.endpoints.map(\.url)
        upstream.begin(upstream.draft(endpoints, policy: upstream.policy, source: discover?.description))
        self.init(
            upstream: upstream,
            plan: UpstreamPlan(
                name: upstream.name,
                endpoints: endpoints,
                policy: upstream.policy,
                discover: discover,
                check: check
            )
        )
    }
}
