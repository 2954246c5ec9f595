// SPDX-License-Identifier: Apache-2.0
// Why an endpoint gave no response, or not a whole one.

package import WeirHTTP

/// What went wrong with an endpoint; the label of `weir_upstream_failures_total`, and the `reason` of the answer.
package enum UpstreamFault: Equatable, Sendable {
    /// No connection could be made: refused, unreachable, no such socket, no descriptor.
    case connect
    /// The connection stood, but the two sides could not agree on TLS, or the endpoint is not whom it should be.
    case tls
    /// The connection was not made in time.
    case connectTimeout
    /// The endpoint reset the connection.
    case reset
    /// The endpoint closed the connection before its response was whole.
    case closed
    /// What came is no response, or one that could be read in two ways.
    case malformed(ResponseFault)
    /// The endpoint neither sent nor took anything for too long in the middle of a message.
    case timeout
    /// The response's head did not come in the time that an attempt is given.
    case attemptTimeout

    /// The label's value.
    package var label: StaticString { Self.labels[index] }

    /// The values of the label, in the order of `index`.
    package static let labels: [StaticString] = [
        "connect", "connect_timeout", "reset", "closed", "malformed", "timeout", "attempt_timeout", "tls",
    ]

    /// Counts the kinds, for tables.
    var index: Int {
        switch self {
        case .connect: 0
        case .connectTimeout: 1
        case .reset: 2
        case .closed: 3
        case .malformed: 4
        case .timeout: 5
        case .attemptTimeout: 6
        case .tls: 7
        }
    }
}
