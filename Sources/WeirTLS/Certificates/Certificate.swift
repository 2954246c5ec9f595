// SPDX-License-Identifier: Apache-2.0
// Owners of OpenSSL's certificates and keys. Immutable, so any thread may read them.

import COpenSSL
import Glibc

/// An X.509 certificate. `@unchecked Sendable`: nothing of it changes, but for what OpenSSL caches under its own lock.
@safe package final class Certificate: @unchecked Sendable, Equatable {
    let pointer: OpaquePointer

    /// Takes the reference over.
    init(_ pointer: OpaquePointer) {
        unsafe self.pointer = pointer
    }

    deinit { unsafe X509_free(pointer) }

    /// Until when it is valid, in seconds since 1970.
    package var expiry: Int64 {
        var time = unsafe tm()
        guard unsafe ASN1_TIME_to_tm(X509_get0_notAfter(pointer), &time) == 1 else { return 0 }
        return unsafe Int64(timegm(&time))
    }

    /// From when on it is valid, in seconds since 1970.
    package var start: Int64 {
        var time = unsafe tm()
        guard unsafe ASN1_TIME_to_tm(X509_get0_notBefore(pointer), &time) == 1 else { return .max }
        return unsafe Int64(timegm(&time))
    }

    /// Whether it names `other` as its issuer, and its key fits that. No signature is looked at.
    func isIssued(by other: Certificate) -> Bool {
        unsafe X509_check_issued(other.pointer, pointer) == X509_V_OK
    }

    /// Byte by byte.
    package static func == (one: Certificate, other: Certificate) -> Bool {
        unsafe X509_cmp(one.pointer, other.pointer) == 0
    }

    /// The size of its subject, as it is sent.
    var subjectByteCount: Int { unsafe Int(max(0, i2d_X509_NAME(X509_get_subject_name(pointer), nil))) }

    /// The hosts that it names: its alternative names, or its common name where there are none (RFC 6125 section 6.4.4).
    package var hostNames: [String] {
        let names = unsafe weir_x509_names(pointer)
        defer { unsafe weir_x509_names_free(names) }
        var texts: [String] = []
        for index in 0..<(unsafe weir_x509_names_count(names)) {
            guard let name = unsafe weir_x509_name(names, index, GEN_DNS) else { continue }
            if let text = unsafe Self.text(name) { texts.append(text) }
        }
        guard texts.isEmpty else { return texts }
        let subject = unsafe X509_get_subject_name(pointer)
        let last = unsafe X509_NAME_get_index_by_NID(subject, NID_commonName, -1)
        guard last >= 0, let entry = unsafe X509_NAME_get_entry(subject, last),
            let name = unsafe X509_NAME_ENTRY_get_data(entry), let text = unsafe Self.text(name)
        else { return [] }
        return [text]
    }

    /// ASCII alone: no host that a client asks for has anything else.
    private static func text(_ name: UnsafePointer<ASN1_STRING>) -> String? {
        guard let start = unsafe ASN1_STRING_get0_data(name) else { return nil }
        let bytes = unsafe UnsafeBufferPointer(start: start, count: Int(ASN1_STRING_length(name)))
        return unsafe bytes.allSatisfy { $0 > 0x20 && $0 < 0x7F } ? unsafe String(decoding: bytes, as: UTF8.self) : nil
    }
}

/// A private key; `@unchecked Sendable` as above.
@safe package final class PrivateKey: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Takes the reference over.
    init(_ pointer: OpaquePointer) {
        unsafe self.pointer = pointer
    }

    deinit { unsafe EVP_PKEY_free(pointer) }

    func fits(_ certificate: Certificate) -> Bool {
        let fits = unsafe X509_check_private_key(certificate.pointer, pointer) == 1
        OpenSSLQueue.clear()
        return fits
    }
}
