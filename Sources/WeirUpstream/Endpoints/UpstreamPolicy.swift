// SPDX-License-Identifier: Apache-2.0
// What holds for all endpoints of an upstream. A value.

package import WeirEventLoop
package import WeirHTTP

/// What an upstream's connections may take and how long.
package struct UpstreamPolicy: Sendable {
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
    package var http = HTTPLimits()
    /// Whether the service can serve nothing before an endpoint has answered.
    package var gatesReadiness = true

    package init() {}
}
