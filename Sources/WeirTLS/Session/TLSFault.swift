// SPDX-License-Identifier: Apache-2.0
// Why a session broke, in a form that metrics can count and a log line can say.

import COpenSSL

/// What a peer did, or we cannot do, that ended a session.
package enum TLSFault: Sendable, Equatable {
    /// The first byte is no TLS record's but a letter, as of an HTTP request.
    case plainHTTP
    /// No version that both speak.
    case version
    /// No suite, group or signature that both have.
    case parameters
    /// The client named application protocols, and none of ours (RFC 7301).
    case application
    /// The peer sent an alert with this code (RFC 8446 section 6): often that it does not trust our certificate.
    case alert(Int32)
    /// The peer's certificate does not pass.
    case certificate
    /// The peer's certificate, or another that came with it, cannot be read; OpenSSL's code.
    case damagedCertificate(UInt)
    /// A ClientHello of more than 16 KiB, or one that is cut so that nobody can tell.
    case helloTooLarge
    /// Messages of TLS (new keys, other handshakes) without content between them.
    case flood
    /// Anything else; OpenSSL's code.
    case other(UInt)

    /// Reads the thread's errors, and empties their queue.
    static func take() -> TLSFault {
        let first = ERR_peek_error()
        defer { OpenSSLQueue.clear() }
        // Where another library of OpenSSL's has failed first, what TLS makes of it comes last; the others' numbers mean
        // something else.
        let code = ERR_GET_LIB(first) == ERR_LIB_SSL ? first : ERR_peek_last_error()
        guard ERR_GET_LIB(code) == ERR_LIB_SSL else { return .other(first) }
        let reason = ERR_GET_REASON(code)
        switch reason {
        case weir_reason_asn1: return .damagedCertificate(first)
        case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST: return .plainHTTP
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_VERSION_TOO_HIGH, SSL_R_UNKNOWN_PROTOCOL,
            SSL_R_NO_PROTOCOLS_AVAILABLE:
            return .version
        case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS,
            SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SHARED_GROUPS:
            return .parameters
        case SSL_R_NO_APPLICATION_PROTOCOL: return .application
        case SSL_R_CERTIFICATE_VERIFY_FAILED, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return .certificate
        case SSL_AD_REASON_OFFSET..<(SSL_AD_REASON_OFFSET + 256): return .alert(reason - SSL_AD_REASON_OFFSET)
        default: return .other(first)
        }
    }

    /// What happened, for a log line.
    package var text: String {
        switch self {
        case .plainHTTP: "plain HTTP on a TLS port"
        case .version: "no TLS version in common"
        case .parameters: "no cipher suite, group or signature in common"
        case .application: "no application protocol in common"
        case .alert(let code): unsafe "the peer sent the alert \(String(cString: SSL_alert_desc_string_long(code)))"
        case .certificate: "the peer's certificate does not pass"
        case .damagedCertificate(let code): "the peer's certificate cannot be read: \(Self.reason(code))"
        case .helloTooLarge: "the ClientHello is longer than \(HelloGate.helloBytesMax) bytes"
        case .flood: "more than \(SessionIO.messagesMax) messages of TLS without content"
        case .other(let code): Self.reason(code)
        }
    }

    /// What OpenSSL calls a code.
    static func reason(_ code: UInt) -> String {
        guard let reason = unsafe ERR_reason_error_string(code) else { return "unknown" }
        return unsafe String(cString: reason)
    }
}
