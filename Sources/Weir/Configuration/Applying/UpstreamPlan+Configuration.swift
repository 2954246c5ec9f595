// SPDX-License-Identifier: Apache-2.0
// From a configuration to what upstreams are to be. Pure; at start and at each reload.

import WeirEventLoop
import WeirHTTP
import WeirUpstream

extension GatewayConfiguration {
    /// What the upstreams are to be, in the order of the file. One whose endpoints are discovered has none yet.
    var upstreamPlans: [UpstreamPlan] {
        let forwardedTo = Set(routes.flatMap(\.forwardedTo))
        return upstreams.map { upstream in
            var policy = UpstreamPolicy(upstream)
            policy.gatesReadiness = forwardedTo.contains(upstream.name)
            return UpstreamPlan(
                name: upstream.name,
                endpoints: upstream.endpoints,
                policy: policy,
                discover: upstream.discover,
                check: upstream.check,
                tls: upstream.tlsSettings,
                sourceTLS: upstream.sourceTLSSettings
            )
        }
    }
}

extension RouteConfiguration {
    /// The upstreams that requests may be passed on to while nothing is wrong.
    fileprivate var forwardedTo: [String] {
        guard case .forward(let shares) = action else { return [] }
        return shares.filter { $0.weight > 0 }.map(\.upstream)
    }
}

extension UpstreamPolicy {
    init(_ upstream: UpstreamConfiguration) {
        self.init()
        balancing = BalancingPolicy(upstream.balance)
        key = BalancingKeySource(upstream.hash)
        panic = PanicThreshold(percent: upstream.panicThresholdPercent)
        slowStart = upstream.slowStart?.nanosecondsClamped ?? 0
        passingWeight = upstream.weights.passing
        warningWeight = upstream.weights.warning
        ejection = upstream.ejection.map { OutlierPolicy($0) }
        circuit = upstream.breaker.map { CircuitPolicy($0) }
        connectionsMax = upstream.connectionsMax
        waitingMax = upstream.waitingMax
        connectTimeout = upstream.timeouts.connect.nanosecondsClamped
        idleTimeout = upstream.timeouts.idle.nanosecondsClamped
        transferTimeout = upstream.timeouts.transfer.nanosecondsClamped
        proxyProtocol = upstream.proxyProtocol.version
        http.headerBytesMax = upstream.headerBytes
        http.headerFieldsMax = upstream.headerFields
    }
}

extension BalancingKeySource {
    init(_ hash: HashKey) {
        self =
            switch hash {
            case .client: .client
            case .header(let name): .header(Array(name.utf8))
            case .cookie(let name): .cookie(Array(name.utf8))
            }
    }
}

extension OutlierPolicy {
    init(_ ejection: EjectionConfiguration) {
        self.init()
        interval = ejection.interval.nanosecondsClamped
        consecutiveFailures = ejection.consecutiveFailures
        volumeMin = ejection.requestsMin
        failureMargin = Double(ejection.failureMarginPercent) / 100
        latencyRatio = ejection.latencyFactor
        ejectionBase = ejection.time.nanosecondsClamped
        ejectionMax = ejection.timeMax.nanosecondsClamped
        ejectedPercentMax = ejection.ejectedMaxPercent
    }
}

extension CircuitPolicy {
    init(_ breaker: BreakerConfiguration) {
        self.init()
        failures = UInt64(breaker.failures)
        probes = UInt64(breaker.probes)
        openBase = breaker.open.nanosecondsClamped
        openMax = breaker.openMax.nanosecondsClamped
    }
}

extension RetryPolicy {
    init(_ retry: RetryConfiguration) {
        self.init()
        attemptsMax = retry.attempts + 1
        causes = [.stale]
        if retry.conditions.contains(.connect) { causes.insert(.connect) }
        if retry.conditions.contains(.reset) { causes.insert(.reset) }
        if retry.conditions.contains(.timeout) { causes.insert(.timeout) }
        if retry.conditions.contains(.badGateway) { causes.insert(.badGateway) }
        if retry.conditions.contains(.unavailable) { causes.insert(.serviceUnavailable) }
        if retry.conditions.contains(.gatewayTimeout) { causes.insert(.gatewayTimeout) }
        attemptTimeout = retry.attemptTimeout?.nanosecondsClamped ?? .max
        backoff.base = retry.backoff.nanosecondsClamped
        backoff.max = retry.backoffMax.nanosecondsClamped
    }
}

extension RetryBudget.Policy {
    init(_ retry: RetryConfiguration) {
        self.init()
        percent = UInt64(retry.budgetPercent)
        perSecondMin = UInt64(retry.budgetMinPerSecond)
    }
}

extension Settings.ProxyProtocolVersion {
    /// Nil for none.
    var version: ProxyProtocol.Version? {
        switch self {
        case .off: nil
        case .v1: .version1
        case .v2: .version2
        }
    }
}
