// SPDX-License-Identifier: Apache-2.0
// Why a handshake with a server failed, as a metric counts it and a line of the log says it. Values.

import COpenSSL

/// What was wrong; the label of `weir_upstream_tls_handshake_failures_total`.
package enum HandshakeFault: Int, CaseIterable, Sendable {
    // Of the server's certificate, or of one between it and a root.
    case expired
    case notYetValid
    case wrongName
    case selfSigned
    case unknownIssuer
    /// By the status that the server itself has stapled.
    case revoked
    /// It does not pass for another reason.
    case certificate

    /// The server wants a certificate of ours, or another.
    case clientCertificate
    /// No version that both speak.
    case version
    /// No suite, group or signature that both have.
    case parameters
    /// The server speaks no protocol over TLS that we do.
    case application
    /// The server answers without TLS.
    case plainHTTP
    /// The server refuses for a reason that is none of these.
    case alert
    /// What came is no TLS, or is broken.
    case malformed
    /// The connection ended in the middle.
    case closed
    case timeout
    /// Nothing was begun: TLS is not set up.
    case notSetUp

    /// The label's value.
    package var label: String {
        switch self {
        case .expired: "expired"
        case .notYetValid: "not_yet_valid"
        case .wrongName: "wrong_name"
        case .selfSigned: "self_signed"
        case .unknownIssuer: "unknown_issuer"
        case .revoked: "revoked"
        case .certificate: "certificate"
        case .clientCertificate: "client_certificate"
        case .version: "version"
        case .parameters: "parameters"
        case .application: "application_protocol"
        case .plainHTTP: "plain_http"
        case .alert: "alert"
        case .malformed: "malformed"
        case .closed: "closed"
        case .timeout: "timeout"
        case .notSetUp: "not_set_up"
        }
    }

    /// What verification has found (`X509_V_ERR_…`).
    init(verification code: Int32) {
        switch code {
        case X509_V_ERR_CERT_HAS_EXPIRED: self = .expired
        case X509_V_ERR_CERT_NOT_YET_VALID: self = .notYetValid
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: self = .wrongName
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: self = .selfSigned
        // A root that came along and is not among ours is as good as none.
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            self = .unknownIssuer
        case X509_V_ERR_CERT_REVOKED: self = .revoked
        default: self = .certificate
        }
    }
}

/// A handshake that failed.
package struct HandshakeFailure: Sendable, Equatable {
    package let fault: HandshakeFault
    /// What was wrong in one line; parts of it are the server's, without control characters.
    package let text: String

    package init(_ fault: HandshakeFault, _ text: String) {
        self.fault = fault
        self.text = text
    }
}
