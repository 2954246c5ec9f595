// SPDX-License-Identifier: Apache-2.0
// The status of its own certificate that a server staples to it (RFC 6960). On the session's thread.

import COpenSSL

enum StapledStatus {
    /// Whether the server's certificate is revoked by a status that its CA, or whom that has named, has signed.
    ///
    /// What cannot be read or verified counts as no status: who could change it could as well leave it out. One that has
    /// run out still revokes, as nothing takes that back.
    static func isRevoked(_ session: OpaquePointer) -> Bool {
        defer { OpenSSLQueue.clear() }
        guard let response = unsafe basicResponse(session) else { return false }
        defer { unsafe OCSP_BASICRESP_free(response) }
        let chain = unsafe SSL_get0_verified_chain(session)
        let count = unsafe weir_x509_count(chain)
        guard count > 0 else { return false }
        let store = unsafe SSL_CTX_get_cert_store(SSL_get_SSL_CTX(session))
        guard unsafe OCSP_basic_verify(response, chain, store, 0) == 1 else { return false }
        let certificate = unsafe weir_x509_at(chain, 0)
        let issuer = unsafe weir_x509_at(chain, min(1, count - 1))
        for index in 0..<(unsafe OCSP_resp_count(response)) {
            guard let single = unsafe OCSP_resp_get0(response, index),
                let name = unsafe OCSP_SINGLERESP_get0_id(single),
                let own = unsafe OCSP_cert_to_id(weir_ocsp_digest(name), certificate, issuer)
            else { continue }
            defer { unsafe OCSP_CERTID_free(own) }
            guard unsafe OCSP_id_cmp(own, name) == 0 else { continue }
            if unsafe OCSP_single_get0_status(single, nil, nil, nil, nil) == V_OCSP_CERTSTATUS_REVOKED { return true }
        }
        return false
    }

    /// What the server has stapled; nil for nothing, or nothing of use.
    private static func basicResponse(_ session: OpaquePointer) -> OpaquePointer? {
        var bytes: UnsafePointer<UInt8>?
        let count = unsafe weir_ssl_status_response(session, &bytes)
        guard count > 0, let response = unsafe d2i_OCSP_RESPONSE(nil, &bytes, count) else { return nil }
        defer { unsafe OCSP_RESPONSE_free(response) }
        guard unsafe OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL else { return nil }
        return unsafe OCSP_response_get1_basic(response)
    }
}
