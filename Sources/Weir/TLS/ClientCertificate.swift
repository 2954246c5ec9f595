// SPDX-License-Identifier: Apache-2.0
// Who a client is by its certificate, as handlers, limits and endpoints are told. Made once for a connection; immutable.

import WeirTLS

/// The certificate that a client has shown, and that one of ``Settings/TLS/clientAuthorities`` has signed.
///
/// One object for all requests of a connection. Whoever keeps it may read it for ever, on any thread; that the connection
/// or the certificate has ended since, it does not tell.
///
/// `@unchecked Sendable`: nothing changes behind `init`, and `limitKey` is freed with the object alone.
public final class ClientCertificate: @unchecked Sendable {
    /// Its subject as in RFC 2253, ASCII alone: `CN=orders,O=Shop`; empty where it has more than 1024 bytes.
    public let subject: String
    /// Its SHA-256 in hexadecimal.
    public let fingerprint: String
    /// Its alternative names that are names of hosts, and those that are URIs (`spiffe://…`): at most 8 of each.
    public let hosts: [String]
    public let uris: [String]
    /// `X-Forwarded-Client-Cert: Hash=…;Subject="…";URI=…;DNS=…` and its line end.
    let field: [UInt8]
    /// By what limits know it, the subject if it has one; valid as long as this object.
    let limitKey: UnsafeRawBufferPointer

    init(_ certificate: PeerCertificate) {
        subject = certificate.subject
        fingerprint = certificate.fingerprint
        hosts = certificate.hosts
        uris = certificate.uris
        let key = Array((subject.isEmpty ? fingerprint : subject).utf8)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: key.count, alignment: 1)
        memory.copyBytes(from: key)
        limitKey = UnsafeRawBufferPointer(memory)
        var parts = ["Hash=\(fingerprint)"]
        if !subject.isEmpty {
            let escaped = subject.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            parts.append("Subject=\"\(escaped)\"")
        }
        parts += uris.map { "URI=\($0)" } + hosts.map { "DNS=\($0)" }
        field = Array("X-Forwarded-Client-Cert: \(parts.joined(separator: ";"))\r\n".utf8)
    }

    deinit { limitKey.deallocate() }

    /// What it says of a part that routes may ask for: `subject`, `fingerprint`, `uri`, `host`.
    func values(of part: String) -> [String] {
        switch part {
        case "subject": subject.isEmpty ? [] : [subject]
        case "fingerprint": [fingerprint]
        case "uri": uris
        default: hosts
        }
    }
}
