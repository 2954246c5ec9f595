// SPDX-License-Identifier: Apache-2.0
// Which fields concern one connection only.

extension HeaderNameSet {
    /// Fields that a gateway never passes on.
    ///
    /// Those of RFC 9110 section 7.6.1 describe the connection that they came over: what of them belongs on the other
    /// one (`Connection`, `Upgrade`, `TE: trailers`, the framing) is the gateway's to write. Those of section 11.7 are
    /// between a client and the proxy that it chose: a gateway is none, and its endpoints have no business with the
    /// credentials. Trailer is not among them: it announces what comes behind the body, and stays true as long as the
    /// trailers go on too.
    package static let hopByHop = HeaderNameSet(
        .connection,
        .keepAlive,
        .proxyAuthenticate,
        .proxyAuthenticationInfo,
        .proxyAuthorization,
        .proxyConnection,
        .te,
        .transferEncoding,
        .upgrade
    )
}
