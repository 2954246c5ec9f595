// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Testing
import WeirTLS
import WeirTestSupport

@Suite("TLSClientSession: handshake") struct ClientHandshakeTests {
    static let trusted = TLSVerification.against(PEMFile(name: "ca.crt", bytes: Pairs.authority.certificate))

    private func server() throws -> TestServer {
        TestServer(
            try TLSContext([Pairs.pair(Pairs.one)], lowest: .tls12, tickets: TicketKeys([TicketKeys.Key()]))
        )
    }

    @Test("A handshake completes, however its bytes are cut", arguments: [1, 7, 100, .max])
    func pieces(_ pieces: Int) throws {
        let server = try server()
        let client = ClientInHand(try TLSClientContext(Self.trusted))
        client.exchange(with: server, pieces: pieces)
        #expect(client.isEstablished)
        #expect(server.isEstablished)
        #expect(client.send("ping"))
        #expect(server.send(Array("pong".utf8)))
        client.exchange(with: server, pieces: pieces)
        #expect(server.plain == Array("ping".utf8))
        #expect(client.plain == Array("pong".utf8))
    }

    @Test("It is asked by its name and for http/1.1", arguments: [("one.test", "one.test"), ("one.test.", "one.test")])
    func told(name: String, asked: String) throws {
        let server = RawServer(Pairs.one, .init(application: Array("\u{8}http/1.1".utf8)))
        let client = ClientInHand(try TLSClientContext(Self.trusted), to: name)
        client.exchange(with: server)
        #expect(client.isEstablished)
        #expect(server.serverName == asked)
        #expect(server.application == "http/1.1")
    }

    @Test(
        "The certificate must name the host or the address",
        arguments: [
            ("one.test", true), ("ONE.test", true), ("x.one.test", true), ("x.y.one.test", false), ("two.test", false),
            ("127.0.0.1", true), ("127.0.0.2", false), ("::1", false),
        ]
    )
    func names(_ name: String, _ passes: Bool) throws {
        let plan = MadeCertificate.Plan(name: "one", alternativeNames: "DNS:one.test,DNS:*.one.test,IP:127.0.0.1")
        let server = RawServer(try MadeCertificate(plan, issuer: Pairs.authority))
        let client = ClientInHand(try TLSClientContext(Self.trusted), to: name)
        client.exchange(with: server)
        #expect(client.isEstablished == passes)
        #expect(client.failure?.fault == (passes ? nil : .wrongName))
        // An address is none to ask by (RFC 6066 section 3).
        #expect(server.serverName == (name.first == "1" || name.first == ":" ? "" : name))
    }

    @Test("A common name is none of a host", arguments: ["", "URI:spiffe://one.test/service,IP:127.0.0.1"])
    func commonName(alternativeNames: String) throws {
        let plan = MadeCertificate.Plan(name: "one.test", alternativeNames: alternativeNames)
        let client = ClientInHand(try TLSClientContext(Self.trusted), to: "one.test")
        client.exchange(with: RawServer(try MadeCertificate(plan, issuer: Pairs.authority)))
        #expect(client.failure?.fault == .wrongName)
    }

    @Test("What is between two ends reaches the other, and so does the end")
    func ends() throws {
        let server = try server()
        let client = ClientInHand(try TLSClientContext(Self.trusted))
        client.exchange(with: server)
        client.end()
        client.exchange(with: server)
        #expect(server.state == .ended)
        #expect(server.send(Array("last".utf8)))
        server.end()
        client.exchange(with: server)
        #expect(client.plain == Array("last".utf8))
        #expect(client.state == .ended)
    }

    @Test("A server's first flight that is cut anywhere establishes nothing, and gives nothing")
    func cut() throws {
        let context = try TLSClientContext(Self.trusted)
        let whole = try server()
        let first = ClientInHand(context)
        whole.receive(first.takeOutput())
        // That of another run may be some bytes shorter, as signatures are.
        let count = whole.takeOutput().count - 16
        for cut in 0..<count {
            let (server, client) = (try server(), ClientInHand(context))
            server.receive(client.takeOutput())
            client.receive(Array(server.takeOutput().prefix(cut)))
            #expect(!client.isEstablished)
            #expect(client.plain.isEmpty)
            #expect(client.failure == nil)
        }
    }

    @Test("Garbage fails the session and nothing else", arguments: 0..<50 as Range<UInt64>)
    func garbage(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (server, client) = (try server(), ClientInHand(try TLSClientContext(Self.trusted)))
        server.receive(client.takeOutput())
        var flight = server.takeOutput()
        for _ in 0...random.below(8) { flight[random.below(flight.count)] ^= UInt8(1 + random.below(255)) }
        client.receive(flight)
        client.receive(random.bytes(1 + random.below(2000)))
        #expect(!client.isEstablished)
        #expect(client.plain.isEmpty)
    }
}
