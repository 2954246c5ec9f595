// SPDX-License-Identifier: Apache-2.0
// Why a request did not get an ordinary answer, as the access log says it.

/// What the engine did instead of letting a request have its handler's whole answer.
///
/// The names of refusals are those of `weir_rejected_total`.
package enum AccessReason: UInt8, Sendable, BitwiseCopyable, CaseIterable {
    /// Nothing out of the ordinary: the line has no reason.
    case none
    case rateLimited
    case queueFull
    case deadlineExceeded
    case deadlineUnmeetable
    case memory
    /// No file could be opened for want of descriptors.
    case descriptors
    case noEndpoint
    /// Its route's guard turns `sheddable` requests away.
    case degraded
    /// The connection ended before the response was whole.
    case aborted
    case tunnels
    case upstreamConnect
    case upstreamTLS
    case upstreamConnectTimeout
    case upstreamReset
    case upstreamClosed
    case upstreamMalformed
    case upstreamTimeout
    case upstreamAttemptTimeout

    /// The name in a line; empty for `none`.
    package var name: StaticString {
        switch self {
        case .none: ""
        case .rateLimited: "rate_limited"
        case .queueFull: "queue_full"
        case .deadlineExceeded: "deadline_exceeded"
        case .deadlineUnmeetable: "deadline_unmeetable"
        case .memory: "memory"
        case .descriptors: "descriptors"
        case .noEndpoint: "no_endpoint"
        case .degraded: "degraded"
        case .aborted: "aborted"
        case .tunnels: "tunnels"
        case .upstreamConnect: "upstream_connect"
        case .upstreamTLS: "upstream_tls"
        case .upstreamConnectTimeout: "upstream_connect_timeout"
        case .upstreamReset: "upstream_reset"
        case .upstreamClosed: "upstream_closed"
        case .upstreamMalformed: "upstream_malformed"
        case .upstreamTimeout: "upstream_timeout"
        case .upstreamAttemptTimeout: "upstream_attempt_timeout"
        }
    }
}
