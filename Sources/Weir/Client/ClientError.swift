// SPDX-License-Identifier: Apache-2.0
// Why a handler has no response from an upstream, and what its client is told if the handler lets that through.

import WeirUpstream

/// Why there is no response. One that a handler does not catch is answered with the status in parentheses and, but for
/// the two mistakes, with the reason that the gateway gives for the same failure.
public enum ClientError: Error, Sendable, Equatable {
    /// No upstream of this name is declared: a mistake, logged (500).
    case unknownUpstream(String)
    /// The method, the target or this field cannot be sent: a mistake, logged (500).
    case malformedRequest(String)
    /// No connection can be made (502).
    case connect
    /// No TLS connection could be agreed on, or the endpoint is not whom it should be; the log says why (502).
    case tls
    /// No connection was made within `WEIR_UPSTREAM_CONNECT_TIMEOUT` (502).
    case connectTimeout
    /// The endpoint reset or closed the connection before the response was whole (502).
    case closed
    /// What came is no response (502).
    case malformedResponse
    /// The endpoint stopped in the middle of a message (502).
    case timeout
    /// The response's head did not come within `attempt-timeout` of the route that asks (504).
    case attemptTimeout
    /// The response's body is longer than was asked for (502).
    case bodyTooLarge(ByteCount)
    /// Too many requests wait for a connection already (503).
    case busy
    /// There is no endpoint, or each is left alone for now because its connections fail (503).
    case unavailable
    /// The response was not there, whole, before the request's deadline (504).
    case deadlineExceeded
    /// Every endpoint has taken longer of late than what is left, so none was asked (504).
    case deadlineUnmeetable

    /// What the client is told; nil for a mistake, of which it learns nothing.
    var answer: (status: Status, reason: AccessReason, message: String)? {
        switch self {
        case .unknownUpstream, .malformedRequest: nil
        case .connect: (.badGateway, .upstreamConnect, UpstreamFault.connect.message)
        case .tls: (.badGateway, .upstreamTLS, UpstreamFault.tls.message)
        case .connectTimeout: (.badGateway, .upstreamConnectTimeout, UpstreamFault.connectTimeout.message)
        case .closed: (.badGateway, .upstreamClosed, UpstreamFault.closed.message)
        case .malformedResponse: (.badGateway, .upstreamMalformed, "the upstream's response is malformed")
        case .timeout: (.badGateway, .upstreamTimeout, UpstreamFault.timeout.message)
        case .attemptTimeout: (.gatewayTimeout, .upstreamAttemptTimeout, UpstreamFault.attemptTimeout.message)
        case .bodyTooLarge: (.badGateway, .upstreamMalformed, "the upstream's response is too large")
        case .busy: (.serviceUnavailable, .noEndpoint, "every endpoint is busy")
        case .unavailable: (.serviceUnavailable, .noEndpoint, "no endpoint takes requests now")
        case .deadlineUnmeetable:
            (.gatewayTimeout, .deadlineUnmeetable, "no endpoint answers within what is left")
        case .deadlineExceeded: (.gatewayTimeout, .deadlineExceeded, "the upstream's response took too long")
        }
    }

    init(_ fault: UpstreamFault) {
        switch fault {
        case .connect: self = .connect
        case .tls: self = .tls
        case .connectTimeout: self = .connectTimeout
        case .reset, .closed: self = .closed
        case .malformed: self = .malformedResponse
        case .timeout: self = .timeout
        case .attemptTimeout: self = .attemptTimeout
        }
    }
}
