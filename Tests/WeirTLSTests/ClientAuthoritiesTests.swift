// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Testing
import WeirTLS

@Suite("ClientAuthorities") struct ClientAuthoritiesTests {
    private static let client = Pairs.make(
        .init(
            name: "orders, \"the\" shop\\",
            alternativeNames: "DNS:orders.test,URI:spiffe://shop/orders,IP:10.0.0.1,URI:a;b=c"
        ),
        Pairs.authority
    )

    private func server(isRequired: Bool, by authority: MadeCertificate = Pairs.authority) throws -> TestServer {
        let file = PEMFile(name: "ca.crt", bytes: authority.certificate)
        return TestServer(
            try TLSContext(
                [Pairs.pair(Pairs.one)],
                lowest: .tls12,
                tickets: TicketKeys([TicketKeys.Key()]),
                clients: ClientAuthorities(file, isRequired: isRequired)
            )
        )
    }

    @Test("A certificate that has passed is read", arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func reads(_ highest: Int32) throws {
        let server = try server(isRequired: true)
        server.exchange(with: TestClient(.init(highest: highest, identity: Self.client)))
        #expect(server.isEstablished)
        let certificate = try #require(server.peerCertificate)
        #expect(certificate.subject == #"CN=orders\, \"the\" shop\\"#)
        #expect(certificate.fingerprint.utf8.count == 64)
        #expect(certificate.hosts == ["orders.test"])
        // What would not stand for itself in a list is left out.
        #expect(certificate.uris == ["spiffe://shop/orders"])
    }

    @Test("Who has none is refused where one is required, and served where it is optional")
    func none() throws {
        let strict = try server(isRequired: true)
        strict.exchange(with: TestClient())
        #expect(!strict.isEstablished)
        #expect(strict.state == .failed(.certificate))
        let optional = try server(isRequired: false)
        optional.exchange(with: TestClient())
        #expect(optional.isEstablished)
        #expect(optional.peerCertificate == nil)
    }

    @Test("A certificate of somebody else's CA is refused in either way, and so is one that is over")
    func wrong() throws {
        let stranger = Pairs.make(.init(name: "stranger"), nil)
        let over = Pairs.make(.init(name: "over", begins: -7200, ends: -3600), Pairs.authority)
        for (authority, identity) in [(stranger, Self.client), (Pairs.authority, over)] {
            for isRequired in [true, false] {
                let server = try server(isRequired: isRequired, by: authority)
                server.exchange(with: TestClient(.init(identity: identity)))
                #expect(server.state == .failed(.certificate))
            }
        }
    }

    @Test("A file without certificates is told")
    func noCertificate() {
        #expect(throws: TLSError.notPEM(file: "ca.crt")) {
            try ClientAuthorities(PEMFile(name: "ca.crt", bytes: Array("x".utf8)), isRequired: true)
        }
    }
}
