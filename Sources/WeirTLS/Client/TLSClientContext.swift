// SPDX-License-Identifier: Apache-2.0
// What all sessions with the servers of an upstream have in common: whom to trust, what to show, which versions. Immutable;
// replaced as a whole when files change, while sessions keep the one that they began with.

import COpenSSL
import Synchronization

/// Whether and by whom a server's certificate must be signed.
package enum TLSVerification: Sendable {
    /// Any certificate will do, whoever shows it.
    case none
    /// One of the certificates in this file, or one that leads to it, and for the server's name.
    case against(PEMFile)
}

/// A client's side of TLS. Any thread may make sessions of it (`@unchecked Sendable`: OpenSSL counts its references
/// atomically, and nothing else of it changes).
@safe package final class TLSClientContext: @unchecked Sendable {
    /// The most certificates in a file of those that are trusted: Debian has 140.
    package static let authoritiesMax = 1000
    /// The most certificates between a server's and one that is trusted.
    private static let depthMax: Int32 = 16

    let pointer: OpaquePointer
    /// Tells it from all others, for sessions that only it may resume by.
    let serial = TLSClientContext.serials.wrappingAdd(1, ordering: .relaxed).newValue
    /// What is shown to servers that ask for it.
    package let identity: CertificatePair?

    // Relaxed: a number, and nothing that goes with it.
    private static let serials = Atomic<UInt64>(0)

    /// - Throws: `TLSError`, which says which file is at fault.
    package init(
        _ verification: TLSVerification,
        identity: CertificatePair? = nil,
        lowest: TLSVersion = .tls12
    ) throws(TLSError) {
        OpenSSLQueue.clear()
        guard let context = unsafe SSL_CTX_new(TLS_client_method()) else {
            throw OpenSSLQueue.error(in: "SSL_CTX_new")
        }
        unsafe pointer = unsafe context
        self.identity = identity
        try unsafe TLSParameters.apply(to: context, lowest)
        try unsafe Self.verify(context, verification)
        try unsafe identity?.show(in: context)
        let applications = applicationProtocol
        // It answers 0 where it has worked.
        guard
            unsafe SSL_CTX_set_alpn_protos(
                context,
                applications.utf8Start,
                UInt32(applications.utf8CodeUnitCount)
            ) == 0
        else { throw OpenSSLQueue.error(in: "SSL_CTX_set_alpn_protos") }
        unsafe SSL_CTX_set_cert_cb(context, noteRequestForCertificate, nil)
        unsafe SSL_CTX_set_msg_callback(context, SessionIO.noteMessage)
        unsafe weir_ssl_ctx_set_session_callback(context, keepSession)
    }

    deinit { unsafe SSL_CTX_free(pointer) }

    private static func verify(_ context: OpaquePointer, _ verification: TLSVerification) throws(TLSError) {
        guard case .against(let file) = verification else { return }
        let store = unsafe SSL_CTX_get_cert_store(context)
        for certificate in try file.certificates(max: authoritiesMax) {
            guard unsafe X509_STORE_add_cert(store, certificate.pointer) == 1 else {
                throw OpenSSLQueue.error(in: "X509_STORE_add_cert")
            }
        }
        // Whoever trusts a certificate need not trust those above it.
        unsafe X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
        unsafe SSL_CTX_set_verify_depth(context, depthMax)
        unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, noteVerification)
        unsafe weir_ssl_ctx_ask_status(context, lookAtStaple)
    }
}

extension CertificatePair {
    /// Has a context show it.
    fileprivate func show(in context: OpaquePointer) throws(TLSError) {
        guard unsafe SSL_CTX_use_certificate(context, certificate.pointer) == 1,
            chain.allSatisfy({ unsafe weir_ssl_ctx_add_chain(context, $0.pointer) == 1 }),
            unsafe SSL_CTX_use_PrivateKey(context, key.pointer) == 1
        else { throw .refused(file: file, reason: OpenSSLQueue.takeText()) }
    }
}

/// With its length in front.
private let applicationProtocol: StaticString = "\u{8}http/1.1"
