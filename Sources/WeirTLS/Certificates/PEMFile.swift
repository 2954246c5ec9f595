// SPDX-License-Identifier: Apache-2.0
// The text of a certificate or key file, and the reading of its PEM blocks. Pure: whoever reads the file is above.

import COpenSSL

/// The bytes of a file and the name that errors give it.
package struct PEMFile: Sendable, Equatable {
    /// The largest file in bytes: a bundle of all public CAs is a quarter of it.
    package static let bytesMax = 1 << 20

    package let name: String
    package let bytes: [UInt8]

    package init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }

    /// All certificates of the file in their order, at least one.
    func certificates(max: Int) throws(TLSError) -> [Certificate] {
        let reader = try PEMReader(self)
        var certificates: [Certificate] = []
        while let certificate = try reader.nextCertificate(number: certificates.count + 1) {
            guard certificates.count < max else { throw .tooManyCertificates(file: name) }
            certificates.append(certificate)
        }
        guard !certificates.isEmpty else { throw .noCertificate(file: name) }
        return certificates
    }

    /// The first private key of the file.
    func privateKey() throws(TLSError) -> PrivateKey {
        try PEMReader(self).privateKey()
    }

    fileprivate func holds(_ text: String) -> Bool {
        let text = Array(text.utf8)
        guard bytes.count >= text.count else { return false }
        for start in 0...(bytes.count - text.count) where bytes[start] == text[0] {
            if bytes[start..<(start + text.count)].elementsEqual(text) { return true }
        }
        return false
    }
}

/// Reads one file from its start.
@safe private struct PEMReader: ~Copyable {
    private let file: PEMFile
    private let bio: OpaquePointer

    init(_ file: PEMFile) throws(TLSError) {
        guard file.bytes.count <= PEMFile.bytesMax else { throw .tooLarge(file: file.name) }
        guard !file.bytes.isEmpty else { throw .empty(file: file.name) }
        guard file.holds("-----BEGIN ") else { throw .notPEM(file: file.name) }
        guard let bio = unsafe BIO_new(BIO_s_mem()) else { throw OpenSSLQueue.error(in: "BIO_new") }
        // Copied: a view of an array must not outlive the call that gave it.
        unsafe file.bytes.withUnsafeBytes { bytes in
            _ = unsafe BIO_write(bio, bytes.baseAddress, Int32(bytes.count))
        }
        self.file = file
        unsafe self.bio = unsafe bio
    }

    deinit { unsafe BIO_free_all(bio) }

    /// The next certificate; other blocks are passed over. Nil at the end.
    func nextCertificate(number: Int) throws(TLSError) -> Certificate? {
        OpenSSLQueue.clear()
        if let certificate = unsafe PEM_read_bio_X509(bio, nil, noPassphrase, nil) {
            return unsafe Certificate(certificate)
        }
        if OpenSSLQueue.lastReason == PEM_R_NO_START_LINE {
            OpenSSLQueue.clear()
            return nil
        }
        throw .damagedCertificate(file: file.name, number: number, reason: OpenSSLQueue.takeText())
    }

    func privateKey() throws(TLSError) -> PrivateKey {
        guard file.holds("PRIVATE KEY-----") else { throw .noKey(file: file.name) }
        OpenSSLQueue.clear()
        var isEncrypted = false
        let key = unsafe withUnsafeMutablePointer(to: &isEncrypted) { flag in
            unsafe PEM_read_bio_PrivateKey(bio, nil, noPassphrase, flag)
        }
        if let key = unsafe key { return unsafe PrivateKey(key) }
        let reason = OpenSSLQueue.takeText()
        if isEncrypted { throw .encryptedKey(file: file.name) }
        throw .damagedKey(file: file.name, reason: reason)
    }
}

/// Answers that there is no passphrase, where OpenSSL would ask at the terminal, and notes that it was asked for.
private let noPassphrase:
    @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32 =
        { _, _, _, flag in
            unsafe flag?.storeBytes(of: true, as: Bool.self)
            return -1
        }
