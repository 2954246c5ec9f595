// SPDX-License-Identifier: Apache-2.0
// A certificate with its chain and its key, as a server or a client shows it: checked, so that what is used fits together.

import COpenSSL
import Glibc

/// What is read of a pair of files.
package struct CertificatePair: Sendable {
    /// The most certificates in one file.
    package static let chainMax = 16

    /// The name of the file that the certificate came from.
    package let file: String
    package let certificate: Certificate
    /// Those between it and a root, in the order in which they are sent.
    package let chain: [Certificate]
    package let key: PrivateKey
    /// What its CA says of it; nil where that is not known.
    package var staple: OCSPStaple?

    /// - Parameter now: seconds since 1970.
    /// - Throws: `TLSError`, which says which of the two files is at fault.
    package init(certificate: PEMFile, key: PEMFile, now: Int64) throws(TLSError) {
        let certificates = try certificate.certificates(max: Self.chainMax)
        self.key = try key.privateKey()
        file = certificate.name
        self.certificate = certificates[0]
        chain = Array(certificates.dropFirst())
        guard self.key.fits(self.certificate) else {
            throw .keyMismatch(keyFile: key.name, certificateFile: certificate.name)
        }
        // The order of the others is clients' to find out (RFC 8446 section 4.4.2), but one must be its issuer's.
        guard chain.isEmpty || chain.contains(where: self.certificate.isIssued) else {
            throw .foreignChain(file: certificate.name)
        }
        let start = self.certificate.start
        guard start <= now else { throw .notYetValid(file: certificate.name, start: Self.text(of: start)) }
        let expiry = self.certificate.expiry
        guard expiry > now else { throw .expired(file: certificate.name, end: Self.text(of: expiry)) }
    }

    private static func text(of seconds: Int64) -> String {
        var time = time_t(seconds)
        var parts = unsafe tm()
        unsafe gmtime_r(&time, &parts)
        func padded(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let date = unsafe "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday))"
        return unsafe "\(date)T\(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec))Z"
    }
}
