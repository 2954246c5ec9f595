// SPDX-License-Identifier: Apache-2.0
// What becomes of an endpoint's failure: the name in the access log and in the client's answer.

import WeirUpstream

extension UpstreamFault {
    /// `upstream_` and the label of the metric.
    var reason: AccessReason {
        switch self {
        case .connect: .upstreamConnect
        case .tls: .upstreamTLS
        case .connectTimeout: .upstreamConnectTimeout
        case .reset: .upstreamReset
        case .closed: .upstreamClosed
        case .malformed: .upstreamMalformed
        case .timeout: .upstreamTimeout
        case .attemptTimeout: .upstreamAttemptTimeout
        }
    }

    /// What the client may read.
    var message: String {
        switch self {
        case .connect: "the upstream cannot be reached"
        case .tls: "no TLS connection with the upstream can be agreed on"
        case .connectTimeout: "the upstream did not take a connection in time"
        case .reset: "the upstream reset the connection"
        case .closed: "the upstream closed the connection before its response"
        case .malformed: "the upstream's response is malformed"
        case .timeout: "the upstream stopped in the middle of a message"
        case .attemptTimeout: "the upstream did not answer in time"
        }
    }

    /// The status of the client's answer.
    var status: Status {
        switch self {
        case .connect, .tls, .connectTimeout, .reset, .closed, .malformed, .timeout: .badGateway
        case .attemptTimeout: .gatewayTimeout
        }
    }
}
