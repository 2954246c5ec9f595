// SPDX-License-Identifier: Apache-2.0
// The cryptography that is offered, and how OpenSSL's objects behave. One place for both sides.

import COpenSSL

enum TLSParameters {
    /// TLS 1.3's, the cheapest first that is not weaker than the others in use.
    private static let suites13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
    /// TLS 1.2's: forward secret and authenticated encryption, nothing else (RFC 9325 section 4.2).
    private static let suites12 = """
        ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
        ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305
        """
    private static let groups = "X25519:P-256:P-384"

    /// Tickets for a client that has proved itself: one suffices for clients that keep connections.
    private static let ticketCount = 1

    /// A client's certificates together; OpenSSL would keep 100 KB before it knows who that is.
    private static let clientCertificateBytesMax = 32 << 10

    static func apply(to context: OpaquePointer, _ lowest: TLSVersion) throws(TLSError) {
        guard unsafe weir_ssl_ctx_set_versions(context, lowest.number, TLS1_3_VERSION) == 1,
            unsafe SSL_CTX_set_ciphersuites(context, suites13) == 1,
            unsafe SSL_CTX_set_cipher_list(context, suites12) == 1,
            unsafe weir_ssl_ctx_set_groups(context, groups) == 1,
            unsafe SSL_CTX_set_num_tickets(context, ticketCount) == 1
        else { throw OpenSSLQueue.error(in: "SSL_CTX") }
        // Compression tells secrets by its length; renegotiation costs us more than it costs who asks for it.
        unsafe SSL_CTX_set_options(
            context,
            weir_op_no_compression | weir_op_no_renegotiation | weir_op_server_preference | weir_op_prioritize_chacha
        )
        // An idle session has no buffers; the chain is what the file has, and is not searched for in each handshake.
        _ = unsafe weir_ssl_ctx_set_mode(
            context,
            Int(SSL_MODE_RELEASE_BUFFERS) | Int(SSL_MODE_NO_AUTO_CHAIN) | Int(SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER)
        )
        // Tickets are all that is resumed by: nothing is kept for a client that has gone.
        unsafe weir_ssl_ctx_disable_cache(context)
        unsafe weir_ssl_ctx_set_max_cert_list(context, clientCertificateBytesMax)
    }
}
