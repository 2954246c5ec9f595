// SPDX-License-Identifier: Apache-2.0
// The text of a certificate or key file, and the reading of its PEM blocks. Pure: whoever reads the file is above.

import COpenSSL

/// The bytes of a file and the name that errors give it. They may be a private key: when the last copy of this value
/// goes, they are overwritten.
package struct PEMFile: Sendable, Equatable {
    /// The largest file in bytes: a bundle of all public CAs is a quarter of it.
    package static let bytesMax = 1 << 20

    package let name: String
    fileprivate let content: WipedBytes

    package init(name: String, bytes: [UInt8]) {
        unsafe self.init(name: name, capacity: bytes.count) { target in
            unsafe target.copyBytes(from: bytes)
            return bytes.count
        }
    }

    /// - Parameters:
    ///   - capacity: The most bytes.
    ///   - fill: Writes them, and answers how many there are.
    package init<Failure>(
        name: String,
        capacity: Int,
        _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) {
        self.name = name
        content = try unsafe WipedBytes(capacity: capacity, fill)
    }

    /// A copy, which nobody overwrites: not for private keys.
    package var bytes: [UInt8] { unsafe Array(content.bytes) }

    package static func == (one: PEMFile, other: PEMFile) -> Bool {
        unsafe one.name == other.name && one.content.bytes.elementsEqual(other.content.bytes)
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
        let bytes = unsafe content.bytes
        let text = Array(text.utf8)
        guard bytes.count >= text.count else { return false }
        for start in 0...(bytes.count - text.count) where unsafe bytes[start] == text[0] {
            if unsafe bytes[start..<(start + text.count)].elementsEqual(text) { return true }
        }
        return false
    }
}

/// Memory of its own that is written once, and overwritten before it is given back. Immutable, so any thread may read
/// it (`@unchecked Sendable`); `bytes` are valid as long as this object.
@safe private final class WipedBytes: @unchecked Sendable {
    private let memory: UnsafeMutableRawBufferPointer
    let bytes: UnsafeRawBufferPointer

    init<Failure>(
        capacity: Int,
        _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, capacity), alignment: 1)
        do throws(Failure) {
            let count = try unsafe fill(memory)
            unsafe self.memory = unsafe memory
            unsafe bytes = unsafe UnsafeRawBufferPointer(rebasing: memory[..<count])
        } catch {
            // All of it: nobody says how much was written.
            unsafe Self.wipe(memory, memory.count)
            throw error
        }
    }

    // What was not written takes no memory, as long as nobody touches it.
    deinit { unsafe Self.wipe(memory, bytes.count) }

    /// By a call that no compiler leaves out.
    private static func wipe(_ memory: UnsafeMutableRawBufferPointer, _ count: Int) {
        unsafe OPENSSL_cleanse(memory.baseAddress, count)
        unsafe memory.deallocate()
    }
}

/// Reads one file from its start.
@safe private struct PEMReader: ~Copyable {
    private let file: PEMFile
    private let bio: OpaquePointer

    init(_ file: PEMFile) throws(TLSError) {
        let bytes = unsafe file.content.bytes
        guard bytes.count <= PEMFile.bytesMax else { throw .tooLarge(file: file.name) }
        guard unsafe !bytes.isEmpty else { throw .empty(file: file.name) }
        guard file.holds("-----BEGIN ") else { throw .notPEM(file: file.name) }
        // Not copied: the file lasts as long as the reader.
        guard let bio = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else {
            throw OpenSSLQueue.error(in: "BIO_new_mem_buf")
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
