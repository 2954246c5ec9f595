// SPDX-License-Identifier: Apache-2.0
// What an upstream's endpoints get, from all that is known of them. A value, under the upstream's mutex.

import WeirEventLoop
package import WeirTLS

/// Something that happened to an endpoint, for the log.
package enum UpstreamEvent: Sendable {
    case ejection(EjectionEvent)
    /// Its connections fail, or no longer do.
    case breaker(endpoint: String, isFailing: Bool)
    /// A handshake with it has failed.
    case handshake(endpoint: String, HandshakeFailure)
    /// So few endpoints are well that all are used, or no longer.
    case panic(Bool)
}

/// How often endpoints were ejected.
package struct EjectionCounts: Sendable, Equatable {
    /// By the label of the cause.
    package fileprivate(set) var byCause: [String: UInt64] = [:]
    /// Endpoints that are out now.
    package fileprivate(set) var ejected = 0
    /// Outliers that stayed, because too many others were out.
    package fileprivate(set) var spared: UInt64 = 0
}

/// Turns health, ejection, breakers, back-pressure and recovery into weights.
struct EndpointWeighing {
    /// Weights that grow or shrink steadily do so in so many steps: each step is a new set for all loops.
    private static let steps = 32.0

    private(set) var counts = EjectionCounts()
    private var ejection: OutlierEjection?
    private var lookedAt: Nanoseconds = 0
    private var random = WyRand()
    /// By serial: what was said last of an endpoint's connections, and when.
    private var said: [UInt64: (isFailing: Bool, at: Nanoseconds)] = [:]
    /// When it was said last of its handshakes that they fail, and how.
    private var saidHandshakes: [UInt64: [HandshakeFault: Nanoseconds]] = [:]

    /// How soon after a line on an endpoint's connections there may be another: one whose connections come and go would
    /// fill the log. What it is by then is said.
    package static let breakerEventGap: Nanoseconds = 10_000_000_000

    /// How often the endpoints are looked at where no run of failures asks for it.
    private static let lookInterval: Nanoseconds = 1_000_000_000

    // MARK: Looking

    /// Ejects and brings back.
    mutating func look(at set: EndpointSet, _ now: Nanoseconds) -> [UpstreamEvent] {
        var events = handshakeEvents(set, now) + breakerEvents(set, now)
        guard let policy = set.policy.ejection else {
            ejection = nil
            counts.ejected = 0
            for endpoint in set.endpoints { endpoint.isEjected = false }
            return events
        }
        if ejection == nil {
            ejection = OutlierEjection(policy: policy)
        } else if ejection?.policy != policy {
            ejection?.policy = policy
        }
        let hasRun = set.endpoints.contains { $0.outcomes.counts.run() >= policy.consecutiveFailures }
        guard now >= lookedAt + Self.lookInterval || hasRun else { return events }
        lookedAt = now
        let observed = set.endpoints.map { endpoint in
            OutlierEjection.Observed(
                endpoint: endpoint.name,
                serial: endpoint.serial,
                counts: endpoint.outcomes.counts,
                isUsable: !endpoint.isBreakerOpen && endpoint.condition.health != .critical
            )
        }
        for event in ejection?.evaluate(observed, now: now, using: &random) ?? [] {
            if case .ejected(let cause, _) = event.change { counts.byCause["\(cause.label)", default: 0] += 1 }
            events.append(.ejection(event))
        }
        counts.ejected = ejection?.ejectedCount ?? 0
        counts.spared = ejection?.sparedCount ?? 0
        for endpoint in set.endpoints { endpoint.isEjected = ejection?.isEjected(endpoint.name) ?? false }
        return events
    }

    /// A breaker that probes is half-open until a probe succeeds: that it is tried is no news.
    private mutating func breakerEvents(_ set: EndpointSet, _ now: Nanoseconds) -> [UpstreamEvent] {
        if said.count > set.endpoints.count {
            let serials = Set(set.endpoints.map(\.serial))
            said = said.filter { serials.contains($0.key) }
        }
        return set.endpoints.compactMap { endpoint in
            let state = set.policy.circuit == nil ? CircuitState.closed : endpoint.circuit.state
            // While a probe is out it is no longer open: it is not to lose its weight again at each look.
            endpoint.isBreakerOpen =
                state == .open && set.policy.circuit.map { !endpoint.circuit.isAdmitting(at: now, $0) } ?? false
            let isFailing = state != .closed
            let former = said[endpoint.serial]
            guard isFailing != former?.isFailing ?? false else { return nil }
            if let former, now < former.at + Self.breakerEventGap { return nil }
            said[endpoint.serial] = (isFailing, now)
            return .breaker(endpoint: endpoint.name, isFailing: isFailing)
        }
    }

    /// The same fault again is said again after a while: until somebody has seen to it. One that comes and goes is the
    /// same, so there are no more lines in that while than there are faults.
    private mutating func handshakeEvents(_ set: EndpointSet, _ now: Nanoseconds) -> [UpstreamEvent] {
        if saidHandshakes.count > set.endpoints.count {
            let serials = Set(set.endpoints.map(\.serial))
            saidHandshakes = saidHandshakes.filter { serials.contains($0.key) }
        }
        return set.endpoints.compactMap { endpoint in
            guard let failure = endpoint.handshakes?.takeFailure() else { return nil }
            let former = saidHandshakes[endpoint.serial]?[failure.fault]
            if let former, now < former + Self.breakerEventGap { return nil }
            saidHandshakes[endpoint.serial, default: [:]][failure.fault] = now
            return .handshake(endpoint: endpoint.name, failure)
        }
    }

    // MARK: Weighing

    /// The set with the weights that follow from what is known now; nil where they are the same.
    func reweighed(_ set: EndpointSet, at now: Nanoseconds) -> EndpointSet? {
        let (weights, isPanicking) = weights(set.endpoints, set.configuredWeights, set.policy, at: now)
        if isPanicking == set.isPanicking, weights == set.table.entries.map(\.weight) { return nil }
        return EndpointSet(
            version: set.version + 1,
            endpoints: set.endpoints,
            configuredWeights: set.configuredWeights,
            weights: weights,
            isPanicking: isPanicking,
            policy: set.policy,
            replacing: set
        )
    }

    /// The set of other endpoints, or with another policy.
    func set(
        _ endpoints: [Endpoint],
        _ configuredWeights: [ConfiguredWeight],
        _ policy: UpstreamPolicy,
        replacing former: EndpointSet,
        at now: Nanoseconds
    ) -> EndpointSet {
        let (weights, isPanicking) = weights(endpoints, configuredWeights, policy, at: now)
        return EndpointSet(
            version: former.version + 1,
            endpoints: endpoints,
            configuredWeights: configuredWeights,
            weights: weights,
            isPanicking: isPanicking,
            policy: policy,
            replacing: former
        )
    }

    private func weights(
        _ endpoints: [Endpoint],
        _ configuredWeights: [ConfiguredWeight],
        _ policy: UpstreamPolicy,
        at now: Nanoseconds
    ) -> (weights: [EffectiveWeight], isPanicking: Bool) {
        let step = max(1, policy.slowStart / Nanoseconds(Self.steps))
        let standings = zip(endpoints, configuredWeights).map { endpoint, weight in
            var standing = EndpointStanding(configuredWeight: weight.passing)
            standing.ownWarningWeight = weight.warning
            standing.health = endpoint.standing
            standing.passingWeight = policy.passingWeight
            standing.warningWeight = policy.warningWeight
            standing.slowStart = policy.slowStart
            standing.recoveredAt = endpoint.noteStanding(at: now)
            standing.backPressure = (endpoint.pressure.share(at: now) * Self.steps).rounded(.up) / Self.steps
            return standing
        }
        return policy.panic.weights(of: standings, at: now - now % step)
    }
}

extension Endpoint {
    /// What it stands at for balancing: its health, unless it is ejected or behind an open breaker.
    fileprivate var standing: EndpointStanding.Health {
        if isEjected || isBreakerOpen { return .critical }
        return switch condition.health {
        case .unknown, .passing: .passing
        case .warning: .warning
        case .critical: .critical
        }
    }

    /// Notes whether it is out; answers when it came back, if it ever was.
    fileprivate func noteStanding(at now: Nanoseconds) -> Nanoseconds? {
        let isOut = standing == .critical
        if isOut {
            wasOut = true
        } else if wasOut {
            wasOut = false
            recoveredAt = now
            // Of the time before it was out nothing is left; without that it would draw everything.
            load.forget()
        }
        return recoveredAt
    }
}
