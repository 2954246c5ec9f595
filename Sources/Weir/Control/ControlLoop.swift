// SPDX-License-Identifier: Apache-2.0
// The thread for what is no request: sources of endpoints, names, health checks, and the weights that come of them. Owned
// by the engine.

import Logging
import Synchronization
import WeirEventLoop
import WeirMetrics
package import WeirUpstream

/// An event loop beside those that serve: a name server that is slow or a thousand checks take nothing from a request.
final class ControlLoop: Sendable {
    private enum Phase {
        /// With what is to be followed once it runs.
        case made(ControlPlan)
        case running
        case ended

        var isRunning: Bool { if case .running = self { true } else { false } }
    }

    private let loop: EventLoop
    private let control: UpstreamControl
    private let phase = Mutex(Phase.made(ControlPlan()))
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
        let first = phase.withLock { phase -> ControlPlan in
            guard case .made(let plan) = phase else { preconditionFailure("a control loop is started once") }
            phase = .running
            return plan
        }
        send(first)
        var started: SystemThread? = try SystemThread.start { [loop] in loop.run() }
        thread.withLock { $0 = started.take() }
    }

    /// From now on these upstreams are looked after, as their plans say, and these replicas counted. What stays keeps its
    /// source, its checks and their counts; what is not among them is let go. Any thread.
    func follow(_ plan: ControlPlan) {
        let isRunning = phase.withLock { phase in
            if case .made = phase { phase = .made(plan) }
            return phase.isRunning
        }
        if isRunning { send(plan) }
    }

    private func send(_ plan: ControlPlan) {
        loop.submit { [control] _ in
            control.follow(plan.upstreams)
            control.count(replicasOf: plan.replicas)
        }
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
        // Else it is detached, and keeps what it may still touch.
        if loop.awaitEnd(by: LoopClock.monotonic.now &+ Self.stopGrace) { thread.join() }
    }
}

/// What is given to all upstreams alike. A value, made at start.
package struct ControlOptions: Sendable {
    /// Shown to Consul servers; empty for none. A secret.
    package var consulToken = ""
    /// The Kubernetes cluster that services are found in.
    package var cluster = ClusterAccess()
    package var checks = CheckRunner.Options()
    /// Told how many replicas there are, on the control loop, each time that they are counted.
    package var replicasCounted: @Sendable (Int) -> Void = { _ in }
    /// Kept up with their files.
    var tlsClients = UpstreamTLSClients()

    package init() {}
}

/// What is to be looked after.
struct ControlPlan: Sendable {
    var upstreams: [FollowedUpstream] = []
    /// The service whose ready pods are the replicas; nil where nobody counts them.
    var replicas: KubernetesService?
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
        let plan = UpstreamPlan(
            name: upstream.name,
            endpoints: given ?? upstream.endpoints.map(\.url),
            policy: upstream.policy,
            discover: discover,
            check: check,
            tls: upstream.policy.tls?.settings
        )
        upstream.begin(upstream.draft(plan.endpoints, policy: plan.policy, source: plan.sourceName))
        self.init(upstream: upstream, plan: plan)
    }
}
