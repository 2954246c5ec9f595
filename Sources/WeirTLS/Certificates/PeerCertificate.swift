// SPDX-License-Identifier: Apache-2.0
// What is read of a peer's certificate once it has passed: text, so that nothing of OpenSSL is kept for it.

import COpenSSL

/// Whom a certificate names.
package struct PeerCertificate: Sendable, Equatable {
    /// The longest subject, and the longest and the most alternative names of a kind, that are read; what is beyond is as
    /// if it were not there, and never cut.
    private static let subjectBytesMax = 1024
    private static let nameBytesMax = 256
    private static let namesMax = 8

    /// As RFC 2253 has it, ASCII alone: `CN=orders,O=Shop`; empty where it is too long.
    package let subject: String
    /// SHA-256 of the certificate, in hexadecimal.
    package let fingerprint: String
    /// Alternative names, those that stand for themselves in a list: no blanks, quotes, commas and semicolons.
    package let hosts: [String]
    package let uris: [String]

    init(_ certificate: OpaquePointer) {
        subject = unsafe Self.text(of: X509_get_subject_name(certificate))
        fingerprint = unsafe Self.fingerprint(certificate)
        let names = unsafe weir_x509_names(certificate)
        defer { unsafe weir_x509_names_free(names) }
        hosts = unsafe Self.texts(names, GEN_DNS)
        uris = unsafe Self.texts(names, GEN_URI)
    }

    /// As RFC 2253 has it; empty where it is too long.
    static func text(of name: OpaquePointer?) -> String {
        guard let bio = unsafe BIO_new(BIO_s_mem()) else { return "" }
        defer { unsafe BIO_free_all(bio) }
        let flags = UInt(weir_name_flags)
        guard unsafe X509_NAME_print_ex(bio, name, 0, flags) >= 0 else { return "" }
        let count = unsafe Int(weir_bio_pending(bio))
        guard (1...subjectBytesMax).contains(count) else { return "" }
        var bytes = [UInt8](repeating: 0, count: count)
        guard unsafe BIO_read(bio, &bytes, Int32(count)) == Int32(count) else { return "" }
        return bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7F } ? String(decoding: bytes, as: UTF8.self) : ""
    }

    private static func fingerprint(_ certificate: OpaquePointer) -> String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        guard unsafe X509_digest(certificate, EVP_sha256(), &digest, &count) == 1 else { return "" }
        let digits = Array("0123456789abcdef".utf8)
        let text = digest[..<Int(count)].flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }

    private static func texts(_ names: OpaquePointer?, _ type: Int32) -> [String] {
        var texts: [String] = []
        for index in 0..<(unsafe weir_x509_names_count(names)) where texts.count < namesMax {
            guard let name = unsafe weir_x509_name(names, index, type) else { continue }
            let count = unsafe Int(ASN1_STRING_length(name))
            guard count <= nameBytesMax, let start = unsafe ASN1_STRING_get0_data(name) else { continue }
            let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
            let isPlain = bytes.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"\\,;".utf8.contains($0) }
            if isPlain { texts.append(String(decoding: bytes, as: UTF8.self)) }
        }
        return texts
    }
}
