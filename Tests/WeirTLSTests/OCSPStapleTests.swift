// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Glibc
import Testing
import WeirTLS

@Suite("OCSPStaple") struct OCSPStapleTests {
    private static let now = Int64(time(nil))

    private func pair(_ made: MadeCertificate = Pairs.one, hasIssuer: Bool = true) throws -> CertificatePair {
        try CertificatePair(
            certificate: PEMFile(
                name: "tls.crt",
                bytes: made.certificate + (hasIssuer ? Pairs.authority.certificate : [])
            ),
            key: PEMFile(name: "tls.key", bytes: made.key),
            now: Self.now
        )
    }

    private func staple(_ bytes: [UInt8], _ pair: CertificatePair, now: Int64 = now) throws(TLSError) -> OCSPStaple {
        try OCSPStaple(PEMFile(name: "a.ocsp", bytes: bytes), for: pair, now: now)
    }

    private func reason(_ bytes: [UInt8], _ pair: CertificatePair, now: Int64 = now) -> String? {
        do throws(TLSError) {
            _ = try staple(bytes, pair, now: now)
            return nil
        } catch {
            return error.description
        }
    }

    @Test("A response is shown to who asks for it, in both versions", arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func shown(_ highest: Int32) throws {
        let bytes = MadeResponse(about: Pairs.one).bytes
        var pair = try pair()
        pair.staple = try staple(bytes, pair)
        let context = try TLSContext(
            [Pairs.pair(Pairs.two), pair],
            lowest: .tls12,
            tickets: TicketKeys([TicketKeys.Key()])
        )
        for (name, asks, expected) in [("one.test", true, bytes), ("one.test", false, []), ("two.test", true, [])] {
            let server = TestServer(context)
            let client = TestClient(.init(serverName: name, highest: highest, asksStatus: asks))
            server.exchange(with: client)
            #expect(server.isEstablished)
            #expect(client.status == expected)
        }
    }

    @Test("One whose end has come since it was read is not shown")
    func endsMeanwhile() throws {
        var pair = try pair()
        pair.staple = try staple(MadeResponse(about: Pairs.one, ends: -60).bytes, pair, now: Self.now - 120)
        let server = TestServer(
            try TLSContext([pair], lowest: .tls12, tickets: TicketKeys([TicketKeys.Key()]))
        )
        let client = TestClient(.init(asksStatus: true))
        server.exchange(with: client)
        #expect(server.isEstablished)
        #expect(client.status == [])
    }

    @Test("What is stale, revoked, of another certificate or of nobody's signature is refused, and the error says why")
    func refused() throws {
        let pair = try pair()
        let good = MadeResponse(about: Pairs.one).bytes
        #expect(reason(good, pair) == nil)
        #expect(reason(MadeResponse(about: Pairs.one, ends: -300).bytes, pair)?.hasSuffix("out of date") == true)
        #expect(reason(MadeResponse(about: Pairs.one, begins: 900).bytes, pair)?.hasSuffix("not valid yet") == true)
        let other = MadeResponse(about: Pairs.two).bytes
        #expect(reason(other, pair)?.hasSuffix("not about the certificate in tls.crt") == true)
        let revoked = MadeResponse(about: Pairs.one, status: V_OCSP_CERTSTATUS_REVOKED).bytes
        #expect(reason(revoked, pair)?.hasSuffix("the certificate in tls.crt is revoked") == true)
        let forged = MadeResponse(about: Pairs.one, signer: Pairs.two).bytes
        #expect(reason(forged, pair)?.hasSuffix("its signature is not the issuer's") == true)
        #expect(reason([], pair) == "a.ocsp: no OCSP response to be stapled: not the DER of a successful response")
        #expect(reason(Array(good.dropLast()), pair) != nil)
        #expect(reason([UInt8](repeating: 0, count: OCSPStaple.bytesMax + 1), pair)?.contains("larger") == true)
    }

    @Test("Without the issuer's certificate the serial number tells whom it is about")
    func withoutIssuer() throws {
        let pair = try pair(hasIssuer: false)
        #expect(reason(MadeResponse(about: Pairs.one).bytes, pair) == nil)
        #expect(reason(MadeResponse(about: Pairs.two).bytes, pair) != nil)
    }
}
