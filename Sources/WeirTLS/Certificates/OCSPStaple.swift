// SPDX-License-Identifier: Apache-2.0
// What a CA says of a certificate (OCSP, RFC 6960), as a server shows it with the certificate (stapling, RFC 6066 section
// 8). Pure: whoever reads the file is above.

import COpenSSL
import Glibc

/// A response that says that a certificate is good, for a time.
package struct OCSPStaple: Sendable {
    /// The longest response: one with a certificate of its signer has 2 KB.
    package static let bytesMax = 16 << 10
    /// How far the clocks of a CA may be ahead of ours.
    private static let clockSkewSeconds: Int64 = 300

    let bytes: [UInt8]
    /// Until when it is to be shown, in seconds since 1970.
    package let expiry: Int64

    /// Reads the DER of a response, as `openssl ocsp -respout` writes it.
    ///
    /// - Parameters:
    ///   - pair: Whose certificate it must be about. Where its chain has the issuer, the signature is checked, too.
    ///   - now: Seconds since 1970.
    package init(_ file: PEMFile, for pair: CertificatePair, now: Int64) throws(TLSError) {
        func refusal(_ reason: String) -> TLSError { .badStaple(file: file.name, reason: reason) }
        OpenSSLQueue.clear()
        defer { OpenSSLQueue.clear() }
        guard file.bytes.count <= Self.bytesMax else { throw refusal("larger than \(Self.bytesMax) bytes") }
        guard let basic = unsafe Self.read(file.bytes) else { throw refusal("not the DER of a successful response") }
        defer { unsafe OCSP_BASICRESP_free(basic) }
        let issuer = unsafe pair.chain.first?.pointer
        guard let single = unsafe Self.answer(in: basic, about: pair.certificate.pointer, issuer) else {
            throw refusal("not about the certificate in \(pair.file)")
        }
        var updated: UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?
        var next: UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?
        let status = unsafe OCSP_single_get0_status(single, nil, nil, &updated, &next)
        if status == V_OCSP_CERTSTATUS_REVOKED { throw .revoked(file: file.name, certificateFile: pair.file) }
        guard status == V_OCSP_CERTSTATUS_GOOD else {
            throw refusal("it says that the certificate in \(pair.file) is unknown")
        }
        guard let start = unsafe Self.seconds(updated), start <= now + Self.clockSkewSeconds else {
            throw refusal("not valid yet")
        }
        guard let end = unsafe Self.seconds(next) else { throw refusal("it does not say until when it is valid") }
        guard end > now else { throw refusal("out of date") }
        if let issuer = unsafe issuer, unsafe weir_ocsp_verify(basic, issuer) != 1 {
            throw refusal("its signature is not the issuer's")
        }
        bytes = file.bytes
        expiry = end
    }

    private static func read(_ bytes: [UInt8]) -> OpaquePointer? {
        unsafe bytes.withUnsafeBufferPointer { bytes in
            var start = bytes.baseAddress
            guard let response = unsafe d2i_OCSP_RESPONSE(nil, &start, bytes.count) else { return nil }
            defer { unsafe OCSP_RESPONSE_free(response) }
            guard unsafe OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL else { return nil }
            return unsafe OCSP_response_get1_basic(response)
        }
    }

    private static func answer(
        in basic: OpaquePointer,
        about certificate: OpaquePointer,
        _ issuer: OpaquePointer?
    ) -> OpaquePointer? {
        for index in 0..<(unsafe OCSP_resp_count(basic)) {
            guard let single = unsafe OCSP_resp_get0(basic, index) else { continue }
            if unsafe weir_ocsp_is_about(single, certificate, issuer) == 1 { return unsafe single }
        }
        return nil
    }

    private static func seconds(_ time: UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?) -> Int64? {
        var parts = unsafe tm()
        guard let time = unsafe time, unsafe ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
        return unsafe Int64(timegm(&parts))
    }
}
