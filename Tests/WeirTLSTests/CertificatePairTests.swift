// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirTLS
import WeirTestSupport

@Suite("CertificatePair") struct CertificatePairTests {
    private func error(certificate: [UInt8], key: [UInt8], now: Int64 = Pairs.now) -> TLSError? {
        do throws(TLSError) {
            _ = try CertificatePair(
                certificate: PEMFile(name: "a.crt", bytes: certificate),
                key: PEMFile(name: "a.key", bytes: key),
                now: now
            )
            return nil
        } catch {
            return error
        }
    }

    @Test("A certificate and its key are read, with the chain, the names and the end of validity")
    func good() throws {
        let pair = try CertificatePair(
            certificate: PEMFile(name: "a.crt", bytes: Pairs.one.certificate + Pairs.authority.certificate),
            key: PEMFile(name: "a.key", bytes: Pairs.one.key),
            now: Pairs.now
        )
        #expect(pair.chain.count == 1)
        #expect(pair.certificate.hostNames == ["one.test", "*.one.test"])
        #expect(pair.certificate.expiry > 1_700_000_000)
    }

    @Test("Without alternative names the common name is the host's")
    func commonName() throws {
        let pair = try Pairs.pair(Pairs.make(.init(name: "plain.test"), Pairs.authority))
        #expect(pair.certificate.hostNames == ["plain.test"])
    }

    @Test("One file may hold both, in any order")
    func combined() {
        #expect(error(certificate: Pairs.one.key + Pairs.one.certificate, key: Pairs.one.key) == nil)
        let both = Pairs.one.certificate + Pairs.one.key
        #expect(error(certificate: both, key: both) == nil)
    }

    @Test("A fault names the file and says what would be right")
    func faults() {
        let (certificate, key) = (Pairs.one.certificate, Pairs.one.key)
        #expect(error(certificate: [], key: key) == .empty(file: "a.crt"))
        #expect(error(certificate: certificate, key: []) == .empty(file: "a.key"))
        #expect(error(certificate: Array("hello".utf8), key: key) == .notPEM(file: "a.crt"))
        #expect(error(certificate: certificate, key: [0x30, 0x82, 1, 2]) == .notPEM(file: "a.key"))
        #expect(error(certificate: key, key: key) == .noCertificate(file: "a.crt"))
        #expect(error(certificate: certificate, key: certificate) == .noKey(file: "a.key"))
        let mismatch = TLSError.keyMismatch(keyFile: "a.key", certificateFile: "a.crt")
        #expect(error(certificate: certificate, key: Pairs.two.key) == mismatch)
        #expect(mismatch.description == "a.key: not the key of the first certificate in a.crt")
        let many = Array(repeatElement(certificate, count: CertificatePair.chainMax + 1).joined())
        #expect(error(certificate: many, key: key) == .tooManyCertificates(file: "a.crt"))
        let large = [UInt8](repeating: 10, count: PEMFile.bytesMax + 1)
        #expect(error(certificate: large, key: key) == .tooLarge(file: "a.crt"))
    }

    @Test("A certificate that is over is refused, and the error says since when")
    func expired() {
        #expect(error(certificate: Pairs.one.certificate, key: Pairs.one.key, now: .max) != nil)
        let text = TLSError.expired(file: "a.crt", end: "2026-01-31T12:00:00Z").description
        #expect(text == "a.crt: the certificate expired at 2026-01-31T12:00:00Z")
    }

    @Test("A certificate that is not valid yet is refused, and the error says from when on it is")
    func notYetValid() {
        #expect(error(certificate: Pairs.one.certificate, key: Pairs.one.key, now: Pairs.now - 86_400) != nil)
        let text = TLSError.notYetValid(file: "a.crt", start: "2026-01-31T12:00:00Z").description
        #expect(text == "a.crt: the certificate is not valid before 2026-01-31T12:00:00Z")
    }

    @Test("A chain must have the issuer, in whatever order")
    func foreignChain() {
        let (certificate, key, issuer) = (Pairs.one.certificate, Pairs.one.key, Pairs.authority.certificate)
        let other = Pairs.two.certificate
        #expect(error(certificate: certificate + other, key: key) == .foreignChain(file: "a.crt"))
        #expect(error(certificate: certificate + other + issuer, key: key) == nil)
        #expect(error(certificate: certificate + issuer, key: key) == nil)
    }

    @Test("A second certificate that is damaged is told by its number")
    func damagedChain() {
        let cut = Pairs.authority.certificate.prefix(300) + Array("\n-----END CERTIFICATE-----\n".utf8)
        guard
            case .damagedCertificate("a.crt", 2, _) = error(
                certificate: Pairs.one.certificate + cut,
                key: Pairs.one.key
            )
        else {
            Issue.record("not told")
            return
        }
    }

    @Test("An encrypted key is told, and nobody is asked for a passphrase")
    func encryptedKey() {
        let text = """
            -----BEGIN EC PRIVATE KEY-----
            Proc-Type: 4,ENCRYPTED
            DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF

            AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
            -----END EC PRIVATE KEY-----

            """
        #expect(error(certificate: Pairs.one.certificate, key: Array(text.utf8)) == .encryptedKey(file: "a.key"))
    }

    @Test("Garbage is refused, whatever it is", arguments: 0..<40 as Range<UInt64>)
    func garbage(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var certificate = Pairs.one.certificate
        var key = Pairs.one.key
        for _ in 0..<50 {
            switch random.below(4) {
            case 0: certificate[random.below(certificate.count)] = UInt8(truncatingIfNeeded: random.next())
            case 1: key[random.below(key.count)] = UInt8(truncatingIfNeeded: random.next())
            case 2: certificate.insert(contentsOf: random.bytes(random.below(20)), at: random.below(certificate.count))
            default: key.removeSubrange(random.below(key.count / 2)..<(key.count - random.below(key.count / 3)))
            }
            if certificate.isEmpty { certificate = Pairs.one.certificate }
            if key.count < 10 { key = Pairs.one.key }
            if let error = error(certificate: certificate, key: key) {
                #expect(error.description.hasPrefix("a."))
                #expect(!error.description.contains("\n"))
            }
        }
    }
}
