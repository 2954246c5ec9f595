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
    /// Nil where the file says nothing of it.
    package var tls: UpstreamTLSConfiguration?
    /// What holds then.
    private let tlsDefault: UpstreamTLSConfiguration
    /// How a server that lists the endpoints is spoken to.
    private let consulTLS: Settings.UpstreamTLS

    package init(_ settings: Settings) {
        balance = settings.upstream.balance
        connectionsMax = settings.upstream.connectionsMax
        waitingMax = settings.upstream.waitingMax
        timeouts = UpstreamTimeouts(settings)
        headerBytes = settings.upstream.headerBytes
        headerFields = settings.upstream.headerFields
        proxyProtocol = settings.upstream.proxyProtocol
        tlsDefault = UpstreamTLSConfiguration(settings)
        consulTLS = settings.upstream.consulTLS
        ejection = EjectionConfiguration(settings)
        breaker = BreakerConfiguration(settings)
    }
}

extension UpstreamConfiguration {
    /// How TLS is spoken with endpoints; nil where there is none to speak it with.
    var tlsSettings: TLSClientSettings? {
        guard tls != nil || endpoints.contains(where: { $0.scheme == .https }) else { return nil }
        return TLSClientSettings((tls ?? tlsDefault).settings)
    }

    /// The same of the server that lists them.
    var sourceTLSSettings: TLSClientSettings? { discover?.tlsSettings(consulTLS) }
}

extension DiscoverySource {
    /// How the server that lists endpoints is spoken to, where settings say it; `settings` are those of Consul servers.
    func tlsSettings(_ settings: Settings.UpstreamTLS) -> TLSClientSettings? {
        if case .consul(let service) = self, service.isSecure { TLSClientSettings(settings) } else { nil }
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
