// SPDX-License-Identifier: Apache-2.0
// What can be wrong with certificates, keys and TLS settings. Its description is the one line that a failed start prints.

/// Something that TLS cannot be set up with: which file, what is wrong with it, and what would be right.
package enum TLSError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file is not there or may not be read; `reason` is the kernel's.
    case unreadable(file: String, reason: String)
    case tooLarge(file: String)
    case empty(file: String)
    /// No `-----BEGIN` line.
    case notPEM(file: String)
    /// PEM, but with nothing of what is looked for.
    case noCertificate(file: String)
    case noKey(file: String)
    /// The certificate with this number, from 1, cannot be read; `reason` is OpenSSL's.
    case damagedCertificate(file: String, number: Int, reason: String)
    case damagedKey(file: String, reason: String)
    case encryptedKey(file: String)
    case tooManyCertificates(file: String)
    case keyMismatch(keyFile: String, certificateFile: String)
    /// `end` as `2026-01-31T12:00:00Z`.
    case expired(file: String, end: String)
    /// `start` as `end`.
    case notYetValid(file: String, start: String)
    /// None of the certificates behind the first is its issuer's.
    case foreignChain(file: String)
    /// None of the files is there in which systems have the certificates of public CAs.
    case noAuthorities(places: [String])
    /// Not the bytes of a ``TicketKeys/Key``.
    case badTicketKey(file: String)
    /// Not an OCSP response that can be shown with a certificate.
    case badStaple(file: String, reason: String)
    /// An OCSP response that says that the certificate must not be used.
    case revoked(file: String, certificateFile: String)
    /// OpenSSL does not take it, a key that is too short perhaps.
    case refused(file: String, reason: String)
    /// OpenSSL failed where nothing that was given is at fault.
    case library(call: String, reason: String)

    /// The fault in one line.
    package var description: String {
        switch self {
        case .unreadable(let file, let reason): "\(file): \(reason)"
        case .tooLarge(let file): "\(file): larger than \(PEMFile.bytesMax) bytes; expected a PEM file"
        case .empty(let file): "\(file): empty; expected a PEM file"
        case .notPEM(let file): "\(file): not PEM; expected a line that begins with -----BEGIN"
        case .noCertificate(let file): "\(file): no certificate in it; expected -----BEGIN CERTIFICATE-----"
        case .noKey(let file): "\(file): no private key in it; expected -----BEGIN PRIVATE KEY-----"
        case .damagedCertificate(let file, let number, let reason):
            "\(file): certificate \(number) cannot be read: \(reason)"
        case .damagedKey(let file, let reason): "\(file): the private key cannot be read: \(reason)"
        case .encryptedKey(let file): "\(file): the private key is encrypted; expected one without a passphrase"
        case .tooManyCertificates(let file): "\(file): more than \(CertificatePair.chainMax) certificates"
        case .keyMismatch(let keyFile, let certificateFile):
            "\(keyFile): not the key of the first certificate in \(certificateFile)"
        case .expired(let file, let end): "\(file): the certificate expired at \(end)"
        case .notYetValid(let file, let start): "\(file): the certificate is not valid before \(start)"
        case .foreignChain(let file):
            "\(file): none of the certificates behind the first has issued it; expected the CA's that has signed it"
        case .noAuthorities(let places):
            "no certificates of CAs on this system (\(places.joined(separator: ", "))); name a file of those to trust"
        case .badTicketKey(let file):
            "\(file): expected \(TicketKeys.Key.byteCount) random bytes, the key of session tickets"
        case .badStaple(let file, let reason): "\(file): no OCSP response to be stapled: \(reason)"
        case .revoked(let file, let certificateFile): "\(file): the certificate in \(certificateFile) is revoked"
        case .refused(let file, let reason): "\(file): refused by OpenSSL: \(reason)"
        case .library(let call, let reason): "OpenSSL: \(call): \(reason)"
        }
    }
}
