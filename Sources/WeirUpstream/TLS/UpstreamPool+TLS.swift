// SPDX-License-Identifier: Apache-2.0
// Whom a connection to an endpoint is to find there.

import WeirTLS

extension UpstreamPool {
    /// Whom a connection to an endpoint is to find there.
    func target(of endpoint: Endpoint, _ tls: TLSClient) -> TLSTarget {
        TLSTarget(
            tls,
            to: endpoint.host,
            resuming: endpoint.handshakes?.sessions,
            counts: upstream.report.handshakes
        )
    }
}

extension HandshakeFailure {
    /// An endpoint is `https`, and its upstream says nothing of TLS.
    static let notSetUp = HandshakeFailure(
        .notSetUp,
        "its upstream has no tls; write tls: {} for what holds without a word"
    )
}

extension Endpoint {
    /// What its certificate must be for: the host by which it was given or found, or its address.
    package var host: String {
        let authority = String(decoding: authorityBytes, as: UTF8.self)
        if authority.hasPrefix("[") { return String(authority.dropFirst().prefix { $0 != "]" }) }
        return String(authority.prefix { $0 != ":" })
    }
}
