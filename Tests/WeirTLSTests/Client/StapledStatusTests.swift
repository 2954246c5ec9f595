// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Testing
import WeirTLS
import WeirTestSupport

@Suite struct StapledStatusTests {
    private static let versions = [TLS1_2_VERSION, TLS1_3_VERSION]

    private func shake(_ staple: [UInt8], _ version: Int32 = TLS1_3_VERSION) throws -> ClientInHand {
        let client = ClientInHand(try TLSClientContext(ClientHandshakeTests.trusted))
        client.exchange(with: RawServer(Pairs.one, .init(highest: version, staple: staple)))
        return client
    }

    private func status(_ status: Int32, by signer: MadeCertificate = Pairs.authority, ended: Bool = false) -> [UInt8] {
        Pairs.one.status(status, by: signer, issuer: Pairs.authority, ended: ended)
    }

    @Test(arguments: versions, [false, true])
    func `a certificate that its CA has revoked is refused, however old that word is`(version: Int32, ended: Bool)
        throws
    {
        let client = try shake(status(V_OCSP_CERTSTATUS_REVOKED, ended: ended), version)
        #expect(!client.isEstablished)
        #expect(client.failure?.fault == .revoked)
    }

    @Test(arguments: versions, [V_OCSP_CERTSTATUS_GOOD, V_OCSP_CERTSTATUS_UNKNOWN])
    func `one of which nothing bad is said passes`(version: Int32, status code: Int32) throws {
        let client = try shake(status(code), version)
        #expect(client.isEstablished)
        #expect(client.failure == nil)
    }

    @Test func `whom the CA has not named revokes nothing`() throws {
        let stranger = try MadeCertificate(.init(name: "evil CA"))
        #expect(try shake(status(V_OCSP_CERTSTATUS_REVOKED, by: stranger)).isEstablished)
        // One that the CA has signed for a server's use.
        #expect(try shake(status(V_OCSP_CERTSTATUS_REVOKED, by: Pairs.two)).isEstablished)
    }

    @Test func `what is said of another certificate counts for that`() throws {
        let other = Pairs.two.status(V_OCSP_CERTSTATUS_REVOKED, by: Pairs.authority, issuer: Pairs.authority)
        #expect(try shake(other).isEstablished)
    }

    @Test(arguments: 0..<30 as Range<UInt64>)
    func `a status that is broken is none`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var staple = status(V_OCSP_CERTSTATUS_REVOKED)
        if random.oneIn(3) {
            staple = random.bytes(1 + random.below(400))
        } else if random.oneIn(2) {
            staple = Array(staple.prefix(1 + random.below(staple.count - 1)))
        } else {
            // Its signature, so that it is no word of the CA's.
            staple[staple.count - 1 - random.below(16)] ^= 1
        }
        let client = try shake(staple)
        #expect(client.isEstablished, "\(client.failure?.text ?? "")")
    }
}
