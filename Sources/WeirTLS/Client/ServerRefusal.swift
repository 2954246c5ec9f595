// SPDX-License-Identifier: Apache-2.0
// Why a server's certificate does not pass: read while OpenSSL verifies, because it forgets the certificate then.

import COpenSSL

/// What verification stopped at.
struct ServerRefusal {
    let fault: HandshakeFault
    let text: String

    /// - Parameter name: what the certificate should have named.
    init(_ verification: OpaquePointer, expected name: String) {
        let code = unsafe X509_STORE_CTX_get_error(verification)
        fault = HandshakeFault(verification: code)
        let depth = unsafe X509_STORE_CTX_get_error_depth(verification)
        let current = unsafe X509_STORE_CTX_get_current_cert(verification)
        guard let certificate = unsafe current else {
            text = unsafe "its certificate does not pass: \(String(cString: X509_verify_cert_error_string(Int(code))))"
            return
        }
        let subject = unsafe PeerCertificate(certificate).subject
        let whose = depth == 0 ? "its certificate" : "a certificate above its own"
        let what = subject.isEmpty ? whose : "\(whose) (\(subject))"
        switch fault {
        case .expired: text = unsafe "\(what) has expired: \(Self.time(X509_get0_notAfter(certificate)))"
        case .notYetValid: text = unsafe "\(what) is not valid before \(Self.time(X509_get0_notBefore(certificate)))"
        case .wrongName: text = unsafe "\(what) is not for \(name)\(Self.names(of: certificate))"
        case .unknownIssuer where code == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, .selfSigned:
            text = "\(what) is self-signed and not among the trusted ones"
        case .unknownIssuer: text = unsafe "\(what) is signed by nobody who is trusted\(Self.issuer(of: certificate))"
        default: text = unsafe "\(what) does not pass: \(String(cString: X509_verify_cert_error_string(Int(code))))"
        }
    }

    private static func names(of certificate: OpaquePointer) -> String {
        let hosts = unsafe PeerCertificate(certificate).hosts
        return hosts.isEmpty ? "" : ", but for \(hosts.joined(separator: ", "))"
    }

    private static func issuer(of certificate: OpaquePointer) -> String {
        let issuer = unsafe PeerCertificate.text(of: X509_get_issuer_name(certificate))
        return issuer.isEmpty ? "" : ": \(issuer)"
    }

    /// As `Nov 22 17:00:00 2026 GMT`.
    private static func time(_ time: UnsafePointer<ASN1_TIME>?) -> String {
        guard let bio = unsafe BIO_new(BIO_s_mem()) else { return "" }
        defer { unsafe BIO_free_all(bio) }
        guard unsafe ASN1_TIME_print(bio, time) == 1 else { return "" }
        var bytes = [UInt8](repeating: 0, count: max(0, unsafe Int(weir_bio_pending(bio))))
        let count = unsafe BIO_read(bio, &bytes, Int32(bytes.count))
        return String(decoding: bytes.prefix(max(0, Int(count))), as: UTF8.self)
    }
}
