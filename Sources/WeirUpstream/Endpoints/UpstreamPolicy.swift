// SPDX-License-Identifier: Apache-2.0
// What holds for all endpoints of an upstream. A value.

package import WeirEventLoop
package import WeirHTTP

/// How an upstream's endpoints are chosen, when they are left alone, and what their connections may take.
package struct UpstreamPolicy: Sendable, Equatable {
    package var balancing = BalancingPolicy.default
    package var key = BalancingKeySource.client
    package var panic = PanicThreshold()
    /// How long the weight of an endpoint that was out takes to grow back.
    package var slowStart: Nanoseconds = 10_000_000_000
    /// What health makes of a weight: factors, as Consul's `Weights`.
    package var passingWeight = 1
    package var warningWeight = 1
    /// Nil where real traffic ejects nobody.
    package var ejection: OutlierPolicy? = OutlierPolicy()
    /// Nil where failing connections keep nobody from an endpoint.
    package var circuit: CircuitPolicy? = CircuitPolicy()

    /// Open connections to one endpoint, over all loops.
    package var connectionsMax = 1024
    /// Requests of one loop that wait for a connection.
    package var waitingMax = 1024
    package var connectTimeout: Nanoseconds = 5_000_000_000
    /// For how long an unused connection is kept.
    package var idleTimeout: Nanoseconds = 60_000_000_000
    /// For how long an endpoint may neither send nor take anything in the middle of a message.
    package var transferTimeout: Nanoseconds = 60_000_000_000
    /// The header that begins each connection; such a connection serves one request.
    package var proxyProtocol: ProxyProtocol.Version?
    /// How the endpoints that are `https` are spoken to; nil where there is to be none.
    package var tls: TLSClient?
    package var http = HTTPLimits()
    /// Whether the service can serve nothing before an endpoint has answered.
    package var gatesReadiness = true

    package init() {}
}
