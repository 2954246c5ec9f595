// SPDX-License-Identifier: Apache-2.0
// Makes certificates for trying TLS out: a CA of one's own, and what it signs. Not for anything that others rely on.

import COpenSSL

/// A certificate and its key as PEM text, made here.
@safe package struct MadeCertificate {
    /// Whom a certificate names, and when it is valid.
    package struct Plan {
        /// The common name of its subject.
        package var name: String
        /// `DNS:localhost,IP:127.0.0.1`; empty for a CA.
        package var alternativeNames: String
        /// Seconds from now.
        package var begins: Int
        package var ends: Int
        /// Whether it may sign others; who signs himself may.
        package var isAuthority = false
        /// What others than a CA may be used for, in OpenSSL's words.
        package var usages = "serverAuth,clientAuth"

        package init(name: String, alternativeNames: String = "", begins: Int = -3600, ends: Int = 30 * 86_400) {
            self.name = name
            self.alternativeNames = alternativeNames
            self.begins = begins
            self.ends = ends
        }
    }

    package let certificate: [UInt8]
    package let key: [UInt8]
    private let signed: Certificate
    private let signer: PrivateKey

    /// A certificate with a P-256 key, signed by `issuer`, or a CA that signed itself.
    package init(_ plan: Plan, issuer: MadeCertificate? = nil) throws(TLSError) {
        OpenSSLQueue.clear()
        let key = try Self.makeKey()
        guard let pointer = unsafe X509_new() else { throw OpenSSLQueue.error(in: "X509_new") }
        let made = unsafe Certificate(pointer)
        let isDescribed = unsafe Self.describe(pointer, plan, key)
        guard isDescribed, unsafe Self.sign(pointer, plan, key, issuer) else {
            throw OpenSSLQueue.error(in: "X509_sign")
        }
        certificate = try unsafe Self.text { bio in unsafe PEM_write_bio_X509(bio, pointer) }
        self.key = try unsafe Self.text { bio in
            unsafe PEM_write_bio_PrivateKey(bio, key.pointer, nil, nil, 0, nil, nil)
        }
        signed = made
        signer = key
    }

    private static func makeKey() throws(TLSError) -> PrivateKey {
        let context = unsafe EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil)
        defer { unsafe EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard unsafe EVP_PKEY_keygen_init(context) == 1,
            unsafe EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) == 1,
            unsafe EVP_PKEY_keygen(context, &key) == 1, let key = unsafe key
        else { throw OpenSSLQueue.error(in: "EVP_PKEY_keygen") }
        return unsafe PrivateKey(key)
    }

    private static func describe(_ pointer: OpaquePointer, _ plan: Plan, _ key: PrivateKey) -> Bool {
        // Random, so that no two of one issuer have the same (RFC 5280 section 4.1.2.2).
        let serial = Int64(UInt64.random(in: 1...(1 << 62)))
        let name = unsafe X509_get_subject_name(pointer)
        let text = Array(plan.name.utf8)
        return unsafe X509_set_version(pointer, 2) == 1
            && ASN1_INTEGER_set_int64(X509_get_serialNumber(pointer), serial) == 1
            && X509_gmtime_adj(X509_getm_notBefore(pointer), plan.begins) != nil
            && X509_gmtime_adj(X509_getm_notAfter(pointer), plan.ends) != nil
            && X509_set_pubkey(pointer, key.pointer) == 1
            && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, Int32(text.count), -1, 0) == 1
    }

    private static func sign(
        _ pointer: OpaquePointer,
        _ plan: Plan,
        _ key: PrivateKey,
        _ issuer: MadeCertificate?
    ) -> Bool {
        let issuerPointer = unsafe issuer?.signed.pointer ?? pointer
        guard unsafe X509_set_issuer_name(pointer, X509_get_subject_name(issuerPointer)) == 1 else { return false }
        let isAuthority = plan.isAuthority || issuer == nil
        var extensions: [(Int32, String)] = [
            (NID_basic_constraints, isAuthority ? "critical,CA:TRUE" : "critical,CA:FALSE"),
            (NID_key_usage, isAuthority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature"),
            (NID_subject_key_identifier, "hash"),
        ]
        if !isAuthority { extensions.append((NID_ext_key_usage, plan.usages)) }
        if issuer != nil { extensions.append((NID_authority_key_identifier, "keyid")) }
        if !plan.alternativeNames.isEmpty { extensions.append((NID_subject_alt_name, plan.alternativeNames)) }
        var context = unsafe X509V3_CTX()
        unsafe X509V3_set_ctx(&context, issuerPointer, pointer, nil, nil, 0)
        for (number, value) in extensions {
            guard let made = unsafe X509V3_EXT_conf_nid(nil, &context, number, value) else { return false }
            defer { unsafe X509_EXTENSION_free(made) }
            guard unsafe X509_add_ext(pointer, made, -1) == 1 else { return false }
        }
        let signer = unsafe issuer?.signer.pointer ?? key.pointer
        return unsafe X509_sign(pointer, signer, EVP_sha256()) > 0
    }

    private static func text(_ write: (OpaquePointer) -> Int32) throws(TLSError) -> [UInt8] {
        guard let bio = unsafe BIO_new(BIO_s_mem()) else { throw OpenSSLQueue.error(in: "BIO_new") }
        defer { unsafe BIO_free_all(bio) }
        guard unsafe write(bio) == 1 else { throw OpenSSLQueue.error(in: "PEM_write_bio") }
        return unsafe [UInt8](unsafeUninitializedCapacity: Int(weir_bio_pending(bio))) { target, count in
            unsafe count = Int(max(0, BIO_read(bio, target.baseAddress, Int32(target.count))))
        }
    }
}
