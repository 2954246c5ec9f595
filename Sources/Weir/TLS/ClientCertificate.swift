// SPDX-License-Identifier: Apache-2.0
// Who a client is by its certificate, as handlers and endpoints are told. Made once for a connection; immutable.

import WeirTLS

/// The certificate that a client has shown, and that one of ``Settings/TLS/clientAuthorities`` has signed.
public final class ClientCertificate: Sendable {
    /// Its subject as in RFC 2253, ASCII alone: `CN=orders,O=Shop`; empty where it has more than 1024 bytes.
    public let subject: String
    /// Its SHA-256 in hexadecimal.
    public let fingerprint: String
    /// Its alternative names that are names of hosts, and those that are URIs (`spiffe://…`): at most 8 of each.
    public let hosts: [String]
    public let uris: [String]
    /// `X-Forwarded-Client-Cert: Hash=…;Subject="…";URI=…;DNS=…` and its line end.
    let field: [UInt8]

    init(_ certificate: PeerCertificate) {
        subject = certificate.subject
        fingerprint = certificate.fingerprint
        hosts = certificate.hosts
        uris = certificate.uris
        var parts = ["Hash=\(fingerprint)"]
        if !subject.isEmpty {
            let escaped = subject.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            parts.append("Subject=\"\(escaped)\"")
        }
        parts += uris.map { "URI=\($0)" } + hosts.map { "DNS=\($0)" }
        field = Array("X-Forwarded-Client-Cert: \(parts.joined(separator: ";"))\r\n".utf8)
    }
}
