// SPDX-License-Identifier: Apache-2.0
// By whom certificates of clients are signed (mTLS), as a server's context is told.

import COpenSSL

/// The CAs that certificates of clients are checked against.
package struct ClientAuthorities: Sendable {
    /// The most certificates in the file.
    package static let countMax = 1000
    /// The most that the names of the CAs may have, which each client is told before anybody knows who it is; of more
    /// none is told, and clients choose by themselves (RFC 8446 section 4.2.4). What a message has room for is 64 KiB.
    package static let namesBytesMax = 16 << 10
    /// The most certificates between a client's and a CA.
    private static let depthMax: Int32 = 16

    private let certificates: [Certificate]
    private let isRequired: Bool
    /// Other for other CAs, and for another way to ask.
    let digest: [UInt8]

    /// - Parameter isRequired: A client without a certificate is refused; else it is as one of plain TLS.
    package init(_ file: PEMFile, isRequired: Bool) throws(TLSError) {
        certificates = try file.certificates(max: Self.countMax)
        self.isRequired = isRequired
        digest = Self.digest(of: file.bytes + [isRequired ? 1 : 0])
    }

    static func digest(of bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        unsafe SHA256(bytes, bytes.count, &digest)
        return digest
    }

    /// Has a context ask clients for certificates.
    func serve(_ context: OpaquePointer) throws(TLSError) {
        OpenSSLQueue.clear()
        let store = unsafe SSL_CTX_get_cert_store(context)
        // Whatever the file has is trusted, also a CA between a root and the clients (RFC 5280 section 6.1: an anchor).
        unsafe X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
        let tellsNames = certificates.reduce(0) { $0 + $1.subjectByteCount + 2 } <= Self.namesBytesMax
        for certificate in certificates {
            guard unsafe X509_STORE_add_cert(store, certificate.pointer) == 1,
                unsafe !tellsNames || SSL_CTX_add_client_CA(context, certificate.pointer) == 1
            else { throw OpenSSLQueue.error(in: "X509_STORE_add_cert") }
        }
        unsafe SSL_CTX_set_verify_depth(context, Self.depthMax)
        unsafe SSL_CTX_set_verify(
            context,
            SSL_VERIFY_PEER | (isRequired ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
            nil
        )
    }
}
