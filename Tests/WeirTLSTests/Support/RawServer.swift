// SPDX-License-Identifier: Apache-2.0
// A server that is OpenSSL's own, over memory: for what ours does not do.

import COpenSSL
import WeirTLS

final class RawServer: TestPeer {
    struct Options {
        var highest = TLS1_3_VERSION
        var lowest = TLS1_2_VERSION
        /// Clients must show a certificate that this one has signed.
        var clients: MadeCertificate?
        /// What it staples to its certificate.
        var staple: [UInt8] = []
        /// The only application protocol that it takes, with its length in front.
        var application: [UInt8] = []
    }

    private let context: OpaquePointer
    private let session: OpaquePointer
    private let input: OpaquePointer
    private let output: OpaquePointer
    private let options: UnsafeMutablePointer<Options>

    init(_ certificate: MadeCertificate, _ chosen: Options = Options()) {
        options = .allocate(capacity: 1)
        options.initialize(to: chosen)
        let context = SSL_CTX_new(TLS_server_method())!
        self.context = context
        _ = weir_ssl_ctx_set_versions(context, chosen.lowest, chosen.highest)
        SSL_CTX_set_ex_data(context, 0, options)
        certificate.x509.use { _ = SSL_CTX_use_certificate(context, $0) }
        certificate.privateKey.use { _ = SSL_CTX_use_PrivateKey(context, $0) }
        if let clients = chosen.clients {
            clients.x509.use { _ = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), $0) }
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        }
        if !chosen.staple.isEmpty { weir_ssl_ctx_set_status_callback(context, staple, nil) }
        if !chosen.application.isEmpty { SSL_CTX_set_alpn_select_cb(context, selectApplication, options) }
        session = SSL_new(context)
        input = BIO_new(BIO_s_mem())
        output = BIO_new(BIO_s_mem())
        SSL_set_bio(session, input, output)
        SSL_set_accept_state(session)
    }

    deinit {
        SSL_free(session)
        SSL_CTX_free(context)
        options.deinitialize(count: 1)
        options.deallocate()
    }

    var isEstablished: Bool { SSL_is_init_finished(session) == 1 }

    var application: String {
        var start: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(session, &start, &count)
        return String(decoding: UnsafeBufferPointer(start: start, count: Int(count)), as: UTF8.self)
    }

    /// The name that the client has asked for; empty for none.
    var serverName: String { SSL_get_servername(session, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) } ?? "" }

    func receive(_ bytes: [UInt8]) {
        BIO_write(input, bytes, Int32(bytes.count))
        var piece = [UInt8](repeating: 0, count: 20_000)
        while SSL_read(session, &piece, Int32(piece.count)) > 0 {}
        ERR_clear_error()
    }

    func takeOutput() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(weir_bio_pending(output)))
        BIO_read(output, &bytes, Int32(bytes.count))
        return bytes
    }
}

private let staple: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Int32 = { session, _ in
    let options = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(session), 0).assumingMemoryBound(to: RawServer.Options.self)
    let bytes = options.pointee.staple
    // OpenSSL frees it.
    let memory = CRYPTO_malloc(bytes.count, nil, 0)!
    memory.copyMemory(from: bytes, byteCount: bytes.count)
    SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP, bytes.count, memory)
    return SSL_TLSEXT_ERR_OK
}

private let selectApplication:
    @convention(c) (
        OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?, UnsafeMutablePointer<UInt8>?,
        UnsafePointer<UInt8>?, UInt32, UnsafeMutableRawPointer?
    ) -> Int32 = { _, chosen, chosenCount, offered, offeredCount, argument in
        let options = argument!.assumingMemoryBound(to: RawServer.Options.self)
        var found: UnsafeMutablePointer<UInt8>?
        let own = options.pointee.application
        let result = SSL_select_next_proto(&found, chosenCount, own, UInt32(own.count), offered, offeredCount)
        guard result == OPENSSL_NPN_NEGOTIATED else { return SSL_TLSEXT_ERR_ALERT_FATAL }
        chosen?.pointee = UnsafePointer(found)
        return SSL_TLSEXT_ERR_OK
    }

/// A reference of OpenSSL's, given back when it goes.
final class Owned {
    private let pointer: OpaquePointer
    private let free: (OpaquePointer) -> Void

    fileprivate init(_ pointer: OpaquePointer, _ free: @escaping (OpaquePointer) -> Void) {
        self.pointer = pointer
        self.free = free
    }

    deinit { free(pointer) }

    func use<Result>(_ body: (OpaquePointer) -> Result) -> Result {
        withExtendedLifetime(self) { body(pointer) }
    }
}

extension MadeCertificate {
    var x509: Owned {
        let bio = BIO_new(BIO_s_mem())
        defer { BIO_free_all(bio) }
        BIO_write(bio, certificate, Int32(certificate.count))
        return Owned(PEM_read_bio_X509(bio, nil, nil, nil)) { X509_free($0) }
    }

    var privateKey: Owned {
        let bio = BIO_new(BIO_s_mem())
        defer { BIO_free_all(bio) }
        BIO_write(bio, key, Int32(key.count))
        return Owned(PEM_read_bio_PrivateKey(bio, nil, nil, nil)) { EVP_PKEY_free($0) }
    }

    /// What `signer` says of this certificate, which `issuer` has signed.
    func status(_ status: Int32, by signer: MadeCertificate, issuer: MadeCertificate, ended: Bool = false) -> [UInt8] {
        let basic = OCSP_BASICRESP_new()
        defer { OCSP_BASICRESP_free(basic) }
        let name = x509.use { own in issuer.x509.use { OCSP_cert_to_id(EVP_sha1(), own, $0) } }
        defer { OCSP_CERTID_free(name) }
        let from = X509_gmtime_adj(nil, -7200)
        let until = X509_gmtime_adj(nil, ended ? -3600 : 3600)
        defer {
            ASN1_STRING_free(from)
            ASN1_STRING_free(until)
        }
        let revokedAt = status == V_OCSP_CERTSTATUS_REVOKED ? from : nil
        OCSP_basic_add1_status(basic, name, status, 0, revokedAt, from, until)
        _ = signer.x509.use { own in
            // A CA's own certificate is known.
            let flags = signer.certificate == issuer.certificate ? UInt(OCSP_NOCERTS) : 0
            return signer.privateKey.use { OCSP_basic_sign(basic, own, $0, EVP_sha256(), nil, flags) }
        }
        let response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic)
        defer { OCSP_RESPONSE_free(response) }
        var start: UnsafeMutablePointer<UInt8>?
        let count = i2d_OCSP_RESPONSE(response, &start)
        defer { CRYPTO_free(start, nil, 0) }
        return Array(UnsafeBufferPointer(start: start, count: Int(count)))
    }
}
