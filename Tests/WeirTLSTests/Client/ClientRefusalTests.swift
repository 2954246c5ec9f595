// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Testing
import WeirTLS

@Suite("TLSClientSession: refusals") struct ClientRefusalTests {
    private static let day = 86_400
    private static let names = "DNS:one.test"

    struct Case: Sendable, CustomTestStringConvertible {
        let fault: HandshakeFault
        let text: String
        let make: @Sendable () throws -> MadeCertificate

        var testDescription: String { fault.label }
    }

    private static let cases = [
        Case(fault: .expired, text: "its certificate (CN=old) has expired: ") {
            try MadeCertificate(
                .init(name: "old", alternativeNames: names, begins: -2 * day, ends: -day),
                issuer: Pairs.authority
            )
        },
        Case(fault: .notYetValid, text: "its certificate (CN=new) is not valid before ") {
            try MadeCertificate(.init(name: "new", alternativeNames: names, begins: day), issuer: Pairs.authority)
        },
        Case(fault: .wrongName, text: "its certificate (CN=two) is not for one.test, but for Two.test") { Pairs.two },
        Case(fault: .selfSigned, text: "its certificate (CN=self) is self-signed and not among the trusted ones") {
            try MadeCertificate(.init(name: "self", alternativeNames: names))
        },
        Case(fault: .unknownIssuer, text: "its certificate (CN=other) is signed by nobody who is trusted: CN=evil CA") {
            let evil = try MadeCertificate(.init(name: "evil CA"))
            return try MadeCertificate(.init(name: "other", alternativeNames: names), issuer: evil)
        },
    ]

    @Test(
        "A certificate that does not pass is refused, and it is said why",
        arguments: cases,
        [
            TLS1_2_VERSION, TLS1_3_VERSION,
        ]
    )
    func certificates(_ refusal: Case, version: Int32) throws {
        // What signs itself here is a CA, whose key signs no handshake of TLS 1.2.
        if refusal.fault == .selfSigned, version == TLS1_2_VERSION { return }
        let server = RawServer(try refusal.make(), .init(highest: version))
        let client = ClientInHand(try TLSClientContext(ClientHandshakeTests.trusted))
        client.exchange(with: server)
        #expect(!client.isEstablished)
        let failure = try #require(client.failure)
        #expect(failure.fault == refusal.fault)
        #expect(failure.text.hasPrefix(refusal.text), "\(failure.text)")
        #expect(!server.isEstablished)
    }

    @Test("Without verification any of them passes", arguments: cases)
    func unverified(_ refusal: Case) throws {
        let client = ClientInHand(try TLSClientContext(.none))
        client.exchange(with: RawServer(try refusal.make()))
        #expect(client.isEstablished)
    }

    @Test("Whoever trusts a certificate itself needs none above it")
    func pinned() throws {
        let pinned = PEMFile(name: "pinned.crt", bytes: Pairs.one.certificate)
        let client = ClientInHand(try TLSClientContext(.against(pinned)))
        client.exchange(with: RawServer(Pairs.one))
        #expect(client.isEstablished)
    }

    @Test(
        "A certificate that is asked for is shown; without one that suits, it is said that one is asked for",
        arguments: [
            TLS1_2_VERSION, TLS1_3_VERSION,
        ]
    )
    func clientCertificates(version: Int32) throws {
        func run(_ identity: MadeCertificate?) throws -> (ClientInHand, RawServer) {
            let server = RawServer(Pairs.one, .init(highest: version, clients: Pairs.authority))
            let pair = try identity.map { try Pairs.pair($0, name: "client.crt") }
            let client = ClientInHand(try TLSClientContext(ClientHandshakeTests.trusted, identity: pair))
            client.exchange(with: server)
            return (client, server)
        }
        let (known, taking) = try run(Pairs.two)
        #expect(known.isEstablished)
        #expect(known.failure == nil)
        #expect(taking.isEstablished)
        let stranger = try MadeCertificate(.init(name: "stranger"))
        for identity in [nil, stranger] {
            let (client, server) = try run(identity)
            #expect(!server.isEstablished)
            let failure = try #require(client.failure)
            #expect(failure.fault == .clientCertificate)
            #expect(failure.text.contains(identity == nil ? "asks for a certificate" : "such as client.crt"))
            // In TLS 1.3 the server looks at it behind the handshake of the client's.
            #expect(client.isRefusedLate || version == TLS1_2_VERSION)
        }
    }

    @Test("No version in common")
    func versions() throws {
        let client = ClientInHand(try TLSClientContext(ClientHandshakeTests.trusted, lowest: .tls13))
        client.exchange(with: RawServer(Pairs.one, .init(highest: TLS1_2_VERSION)))
        #expect(client.failure?.fault == .version)
        let other = ClientInHand(try TLSClientContext(ClientHandshakeTests.trusted))
        other.exchange(with: RawServer(Pairs.one, .init(highest: TLS1_1_VERSION, lowest: TLS1_VERSION)))
        #expect(other.failure?.fault == .version)
    }

    @Test("A server that speaks another protocol over TLS")
    func applications() throws {
        let client = ClientInHand(try TLSClientContext(ClientHandshakeTests.trusted))
        client.exchange(with: RawServer(Pairs.one, .init(application: Array("\u{2}h2".utf8))))
        #expect(client.failure?.fault == .application)
    }

    @Test(
        "What answers is no TLS",
        arguments: [
            ("HTTP/1.1 400 Bad Request\r\n\r\n", HandshakeFault.plainHTTP), ("220 mail.test ESMTP\r\n", .malformed),
        ]
    )
    func otherProtocols(_ text: String, _ fault: HandshakeFault) throws {
        let client = ClientInHand(try TLSClientContext(ClientHandshakeTests.trusted))
        client.receive(Array(text.utf8))
        #expect(client.failure?.fault == fault)
    }

    @Test("Files that TLS cannot be set up with are named")
    func files() throws {
        #expect(throws: TLSError.notPEM(file: "ca.crt")) {
            try TLSClientContext(.against(PEMFile(name: "ca.crt", bytes: Array("ca".utf8))))
        }
        #expect(throws: TLSError.noCertificate(file: "ca.key")) {
            try TLSClientContext(.against(PEMFile(name: "ca.key", bytes: Pairs.one.key)))
        }
    }
}
