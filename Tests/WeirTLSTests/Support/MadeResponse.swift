// SPDX-License-Identifier: Apache-2.0
// What a CA's OCSP responder says, made here.

import COpenSSL
import WeirTLS

struct MadeResponse {
    /// Its DER.
    let bytes: [UInt8]

    /// - Parameters:
    ///   - begins: Seconds from now, as is `ends`.
    ///   - signer: Who says so; the CA of the tests' certificates.
    init(
        about made: MadeCertificate,
        status: Int32 = V_OCSP_CERTSTATUS_GOOD,
        begins: Int = -600,
        ends: Int = 3600,
        signer: MadeCertificate = Pairs.authority
    ) {
        let certificate = Self.certificate(made)
        let (issuer, signing) = (Self.certificate(Pairs.authority), Self.certificate(signer))
        let key = Self.key(signer)
        let id = OCSP_cert_to_id(EVP_sha1(), certificate, issuer)
        let basic = OCSP_BASICRESP_new()
        let (start, end) = (X509_gmtime_adj(nil, begins), X509_gmtime_adj(nil, ends))
        let revoked = X509_gmtime_adj(nil, -900)
        OCSP_basic_add1_status(
            basic,
            id,
            status,
            0,
            status == V_OCSP_CERTSTATUS_REVOKED ? revoked : nil,
            start,
            end
        )
        OCSP_basic_sign(basic, signing, key, EVP_sha256(), nil, 0)
        let response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic)
        var text: UnsafeMutablePointer<UInt8>?
        let count = i2d_OCSP_RESPONSE(response, &text)
        bytes = Array(UnsafeBufferPointer(start: text, count: Int(count)))
        CRYPTO_free(text, "", 0)
        OCSP_RESPONSE_free(response)
        OCSP_BASICRESP_free(basic)
        OCSP_CERTID_free(id)
        for time in [start, end, revoked] { ASN1_STRING_free(time) }
        for certificate in [certificate, issuer, signing] { X509_free(certificate) }
        EVP_PKEY_free(key)
    }

    private static func certificate(_ made: MadeCertificate) -> OpaquePointer? {
        let bio = BIO_new_mem_buf(made.certificate, Int32(made.certificate.count))
        defer { BIO_free_all(bio) }
        return PEM_read_bio_X509(bio, nil, nil, nil)
    }

    private static func key(_ made: MadeCertificate) -> OpaquePointer? {
        let bio = BIO_new_mem_buf(made.key, Int32(made.key.count))
        defer { BIO_free_all(bio) }
        return PEM_read_bio_PrivateKey(bio, nil, nil, nil)
    }
}
