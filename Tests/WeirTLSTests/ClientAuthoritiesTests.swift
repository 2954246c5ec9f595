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

    @Test("A certificate that is for servers alone is refused")
    func serverOnly() throws {
        var plan = MadeCertificate.Plan(name: "server")
        plan.usages = "serverAuth"
        let server = try server(isRequired: true)
        server.exchange(with: TestClient(.init(identity: Pairs.make(plan, Pairs.authority))))
        #expect(server.state == .failed(.certificate))
    }

    @Test("The file may hold a CA between a root and the clients, without the root")
    func intermediateAlone() throws {
        var plan = MadeCertificate.Plan(name: "between")
        plan.isAuthority = true
        let between = Pairs.make(plan, Pairs.authority)
        let server = try server(isRequired: true, by: between)
        server.exchange(with: TestClient(.init(identity: Pairs.make(.init(name: "orders"), between))))
        #expect(server.isEstablished)
        let other = try self.server(isRequired: true, by: between)
        other.exchange(with: TestClient(.init(identity: Self.client)))
        #expect(other.state == .failed(.certificate))
    }

    @Test("Clients are told the names of the CAs, as long as these are not too many to tell", arguments: [3, 300])
    func names(_ count: Int) throws {
        var file = Pairs.authority.certificate
        for index in 1..<count {
            file += Pairs.make(.init(name: "\(index) \(String(repeating: "x", count: 50))"), nil).certificate
        }
        let server = TestServer(
            try TLSContext(
                [Pairs.pair(Pairs.one)],
                lowest: .tls12,
                tickets: TicketKeys([TicketKeys.Key()]),
                clients: ClientAuthorities(PEMFile(name: "ca.crt", bytes: file), isRequired: true)
            )
        )
        let client = TestClient(.init(identity: Self.client))
        server.exchange(with: client)
        #expect(server.isEstablished)
        #expect(client.authorityCount == (count == 3 ? 3 : -1))
    }

    @Test("A file without certificates is told")
    func noCertificate() {
        #expect(throws: TLSError.notPEM(file: "ca.crt")) {
            try ClientAuthorities(PEMFile(name: "ca.crt", bytes: Array("x".utf8)), isRequired: true)
        }
    }
}
