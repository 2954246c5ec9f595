// SPDX-License-Identifier: Apache-2.0
// A client that is OpenSSL's own, over memory: what it sends and gets is moved by the test.

import COpenSSL
import WeirTLS

final class TestClient {
    struct Options {
        var serverName: String?
        var applications: [UInt8] = []
        var highest = TLS1_3_VERSION
        /// Suites of TLS 1.2 in OpenSSL's words, at its lowest security level.
        var suites: String?
        /// Groups in OpenSSL's words, the first of which it begins with.
        var groups: String?
        /// Whether it asks for what the CA says of the certificate.
        var asksStatus = false
        /// What it shows where it is asked for a certificate.
        var identity: MadeCertificate?
    }

    private let context: OpaquePointer
    private let session: OpaquePointer
    private let input: OpaquePointer
    private let output: OpaquePointer
    private(set) var failure: Int32 = 0

    /// What a session can be resumed by.
    final class Ticket {
        fileprivate let session: OpaquePointer

        fileprivate init(_ session: OpaquePointer) {
            self.session = session
        }

        deinit { SSL_SESSION_free(session) }

        /// The ticket itself, as the server sealed it.
        var bytes: [UInt8] {
            var start: UnsafePointer<UInt8>?
            var count = 0
            SSL_SESSION_get0_ticket(session, &start, &count)
            return Array(UnsafeBufferPointer(start: start, count: count))
        }
    }

    /// The ticket that the server gave last; nil for none.
    var ticket: Ticket? {
        guard let session = SSL_get1_session(session) else { return nil }
        let ticket = Ticket(session)
        return SSL_SESSION_is_resumable(session) == 1 ? ticket : nil
    }

    init(_ options: Options = Options(), resuming ticket: Ticket? = nil) {
        context = SSL_CTX_new(TLS_client_method())
        _ = weir_ssl_ctx_set_versions(context, TLS1_VERSION, options.highest)
        SSL_CTX_set_security_level(context, 0)
        if let suites = options.suites { SSL_CTX_set_cipher_list(context, suites) }
        if let groups = options.groups { _ = weir_ssl_ctx_set_groups(context, groups) }
        if let identity = options.identity { Self.show(identity, in: context) }
        session = SSL_new(context)
        input = BIO_new(BIO_s_mem())
        output = BIO_new(BIO_s_mem())
        SSL_set_bio(session, input, output)
        if let name = options.serverName { _ = weir_ssl_set_host_name(session, name) }
        if !options.applications.isEmpty {
            SSL_set_alpn_protos(session, options.applications, UInt32(options.applications.count))
        }
        if options.asksStatus { weir_ssl_ask_status(session) }
        if let ticket { SSL_set_session(session, ticket.session) }
        SSL_set_connect_state(session)
    }

    deinit {
        SSL_free(session)
        SSL_CTX_free(context)
    }

    private static func show(_ identity: MadeCertificate, in context: OpaquePointer) {
        let (certificates, keys) = (BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()))
        BIO_write(certificates, identity.certificate, Int32(identity.certificate.count))
        BIO_write(keys, identity.key, Int32(identity.key.count))
        let certificate = PEM_read_bio_X509(certificates, nil, nil, nil)
        let key = PEM_read_bio_PrivateKey(keys, nil, nil, nil)
        SSL_CTX_use_certificate(context, certificate)
        SSL_CTX_use_PrivateKey(context, key)
        X509_free(certificate)
        EVP_PKEY_free(key)
        BIO_free_all(certificates)
        BIO_free_all(keys)
    }

    var isEstablished: Bool { SSL_is_init_finished(session) == 1 }

    var version: String { String(cString: SSL_get_version(session)) }

    var application: String {
        var start: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(session, &start, &count)
        return String(decoding: UnsafeBufferPointer(start: start, count: Int(count)), as: UTF8.self)
    }

    /// The common name of the server's certificate.
    var peerName: String {
        guard let certificate = SSL_get1_peer_certificate(session) else { return "" }
        defer { X509_free(certificate) }
        var text = [CChar](repeating: 0, count: 64)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, &text, 64)
        return text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    /// The OCSP response that the server has shown; empty for none.
    var status: [UInt8] {
        var start: UnsafePointer<UInt8>?
        let count = weir_ssl_status_response(session, &start)
        return count > 0 ? Array(UnsafeBufferPointer(start: start, count: count)) : []
    }

    /// How many CAs the server has said that it knows.
    var authorityCount: Int { Int(OPENSSL_sk_num(SSL_get0_peer_CA_list(session))) }

    /// Changes its keys, and asks the server to do so.
    func updateKeys() {
        SSL_key_update(session, SSL_KEY_UPDATE_REQUESTED)
        SSL_do_handshake(session)
    }

    /// Asks for another handshake, as TLS 1.2 has it.
    func renegotiate() {
        SSL_renegotiate(session)
        SSL_do_handshake(session)
        ERR_clear_error()
    }

    /// Whether the server has said that nothing follows.
    var hasEnded: Bool { SSL_get_shutdown(session) & SSL_RECEIVED_SHUTDOWN != 0 }

    /// Sends in front of the end of the handshake, by the ticket that it has; false where the ticket does not allow it.
    func sendEarly(_ bytes: [UInt8]) -> Bool {
        var count = 0
        defer { ERR_clear_error() }
        return SSL_write_early_data(session, bytes, bytes.count, &count) == 1
    }

    /// Ends a handshake behind what was sent early.
    func finish() {
        SSL_do_handshake(session)
        ERR_clear_error()
    }

    /// Whether the server has taken what was sent early.
    var wasEarlyTaken: Bool { SSL_get_early_data_status(session) == SSL_EARLY_DATA_ACCEPTED }

    func send(_ bytes: [UInt8]) { SSL_write(session, bytes, Int32(bytes.count)) }

    func end() { SSL_shutdown(session) }

    /// Takes what the server has sent; answers the plain bytes.
    func receive(_ bytes: [UInt8]) -> [UInt8] {
        BIO_write(input, bytes, Int32(bytes.count))
        var plain: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 20_000)
        while true {
            let count = SSL_read(session, &piece, Int32(piece.count))
            guard count > 0 else {
                failure = SSL_get_error(session, count)
                ERR_clear_error()
                return plain
            }
            plain += piece[..<Int(count)]
        }
    }

    /// What it has to send.
    func takeOutput() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(weir_bio_pending(output)))
        BIO_read(output, &bytes, Int32(bytes.count))
        return bytes
    }
}
