// SPDX-License-Identifier: Apache-2.0
// An upstream as the configuration file describes it, with what holds where it says nothing. A plain value.

package import WeirUpstream

/// Endpoints that stand for each other, and how one of them is chosen.
package struct UpstreamConfiguration: Sendable, Equatable {
    /// The label of its metrics.
    package var name = ""

    /// Where it is; empty where that is discovered.
    package var endpoints: [EndpointURL] = []
    package var discover: DiscoverySource?

    package var balance: Settings.Balance
    /// What maglev chooses by.
    package var hash = HashKey.client
    package var panicThresholdPercent = 50
    package var slowStart: Duration? = .seconds(10)

    /// Nil where endpoints are not asked how they are.
    package var check: HealthCheckConfiguration?
    package var weights = HealthWeights()
    /// Nil where real traffic ejects nobody.
    package var ejection: EjectionConfiguration?
    package var breaker: BreakerConfiguration?

    // What `WEIR_UPSTREAM_…` says for all.
    package var connectionsMax: Int
    package var waitingMax: Int
    package var timeouts: UpstreamTimeouts
    package var headerBytes: Int
    package var headerFields: Int
    package var proxyProtocol: Settings.ProxyProtocolVersion

    package init(_ settings: Settings) {
        balance = settings.upstream.balance
        connectionsMax = settings.upstream.connectionsMax
        waitingMax = settings.upstream.waitingMax
        timeouts = UpstreamTimeouts(settings)
        headerBytes = settings.upstream.headerBytes
        headerFields = settings.upstream.headerFields
        proxyProtocol = settings.upstream.proxyProtocol
        ejection = EjectionConfiguration(settings)
        breaker = BreakerConfiguration(settings)
    }
}

/// What an endpoint's health makes of its weight: factors beside its own.
package struct HealthWeights: Sendable, Equatable {
    package var passing = 1
    package var warning = 1
}

/// How long a connection to an endpoint may take to come, may be unused, and may stand still.
package struct UpstreamTimeouts: Sendable, Equatable {
    package var connect: Duration
    package var idle: Duration
    package var transfer: Duration
}
