// SPDX-License-Identifier: Apache-2.0
// Which fields may not come behind the body.

extension HeaderName {
    /// Fields that decide about framing, routing, the connection, authentication or how to read the content: whoever
    /// has begun to handle the message cannot act on them any more (RFC 9110 section 6.5.1).
    package var isForbiddenInTrailers: Bool {
        switch self {
        case .contentLength, .transferEncoding, .host, .connection, .keepAlive, .proxyConnection, .te, .trailer,
            .upgrade, .expect, .authorization, .proxyAuthenticate, .proxyAuthenticationInfo, .proxyAuthorization,
            .cookie, .contentType, .contentEncoding, .contentRange, .range, .forwarded, .xForwardedFor,
            .xForwardedClientCert, .xForwardedHost, .xForwardedPort, .xForwardedProto, .xRealIP, .lookalike:
            true
        default:
            false
        }
    }
}
