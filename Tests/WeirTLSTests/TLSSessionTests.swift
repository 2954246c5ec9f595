// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Testing
import WeirTLS
import WeirTestSupport

@Suite("TLSSession") struct TLSSessionTests {
    private func context(_ lowest: TLSVersion = .tls12) throws -> TLSContext {
        try TLSContext(
            [Pairs.pair(Pairs.one), Pairs.pair(Pairs.two)],
            lowest: lowest,
            tickets: TicketKeys([TicketKeys.Key()])
        )
    }

    @Test("A handshake completes, however its bytes are cut", arguments: [1, 7, 100, .max])
    func handshake(pieces: Int) throws {
        let server = TestServer(try context())
        let client = TestClient()
        server.exchange(with: client, pieces: pieces)
        #expect(server.isEstablished)
        #expect(client.isEstablished)
        #expect(client.version == "TLSv1.3")
    }

    @Test("Bytes arrive as they were sent, in both directions, however they are cut", arguments: [1, 333, .max])
    func bytes(pieces: Int) throws {
        var random = SeededGenerator(seed: 3)
        let server = TestServer(try context())
        let client = TestClient()
        server.exchange(with: client, pieces: pieces)
        let request = random.bytes(40_000)
        client.send(request)
        server.exchange(with: client, pieces: pieces)
        #expect(server.plain == request)
        let response = random.bytes(16_000)
        #expect(server.send(response))
        #expect(server.exchange(with: client, pieces: pieces) == response)
    }

    @Test("What follows the handshake in the same bytes is given with it")
    func bytesBehindHandshake() throws {
        let server = TestServer(try context())
        let client = TestClient()
        _ = client.receive([])
        server.receive(client.takeOutput())
        _ = client.receive(server.takeOutput())
        client.send(Array("GET".utf8))
        server.receive(client.takeOutput())
        #expect(server.isEstablished)
        #expect(server.plain == Array("GET".utf8))
    }

    @Test(
        "The certificate is the one that names the host, else the first",
        arguments: [
            ("one.test", "one"), ("two.test", "two"), ("x.one.test", "one"), ("other.test", "one"), (nil, "one"),
            ("TWO.Test", "two"), ("two.test.", "two"), ("x.two.test", "two"), ("x.y.two.test", "one"),
            (".two.test", "one"),
            ("two.test..", "one"),
        ]
    )
    func serverName(_ name: String?, _ expected: String) throws {
        let server = TestServer(try context())
        let client = TestClient(.init(serverName: name))
        server.exchange(with: client)
        #expect(client.peerName == expected)
    }

    @Test("http/1.1 is agreed on; who offers none of ours is refused")
    func applications() throws {
        let server = TestServer(try context())
        let client = TestClient(.init(applications: Array("\u{2}h2\u{8}http/1.1".utf8)))
        server.exchange(with: client)
        #expect(client.application == "http/1.1")
        let other = TestServer(try context())
        other.exchange(with: TestClient(.init(applications: Array("\u{2}h2".utf8))))
        #expect(other.state == .failed(.application))
    }

    @Test("TLS 1.2 is spoken unless 1.3 is the lowest; nothing older is")
    func versions() throws {
        let server = TestServer(try context())
        let client = TestClient(.init(highest: TLS1_2_VERSION))
        server.exchange(with: client)
        #expect(client.version == "TLSv1.2")
        let strict = TestServer(try context(.tls13))
        strict.exchange(with: TestClient(.init(highest: TLS1_2_VERSION)))
        #expect(strict.state == .failed(.version))
        let old = TestServer(try context())
        old.exchange(with: TestClient(.init(highest: TLS1_1_VERSION)))
        #expect(old.state == .failed(.version))
    }

    @Test(
        "Suites without forward secrecy or authenticated encryption are refused",
        arguments: [
            "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-CCM",
        ]
    )
    func suites(_ name: String) throws {
        let server = TestServer(try context())
        server.exchange(with: TestClient(.init(highest: TLS1_2_VERSION, suites: name)))
        #expect(server.state == .failed(.parameters))
    }

    @Test("Either side's end reaches the other, behind what was sent before it")
    func ends() throws {
        let server = TestServer(try context())
        let client = TestClient()
        server.exchange(with: client)
        client.send(Array("last".utf8))
        client.end()
        server.exchange(with: client)
        #expect(server.plain == Array("last".utf8))
        #expect(server.state == .ended)
        #expect(server.send(Array("answer".utf8)))
        server.end()
        #expect(server.exchange(with: client) == Array("answer".utf8))
        #expect(client.hasEnded)
    }

    @Test("A request without TLS is told from a broken handshake", arguments: ["GET / HTTP/1.1\r\n", "DELETE", "p"])
    func plainHTTP(_ text: String) throws {
        let server = TestServer(try context())
        server.receive(Array(text.utf8))
        #expect(server.state == .failed(.plainHTTP))
    }

    @Test("Garbage fails the session and nothing else", arguments: 0..<50 as Range<UInt64>)
    func garbage(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let server = TestServer(try context())
        let client = TestClient()
        _ = client.receive([])
        var hello = client.takeOutput()
        for _ in 0...random.below(8) { hello[random.below(hello.count)] = UInt8(truncatingIfNeeded: random.next()) }
        server.receive(hello)
        server.receive(random.bytes(1 + random.below(2000)))
        #expect(!server.isEstablished)
        #expect(server.plain.isEmpty)
    }

    @Test("A record that was changed on its way ends the session, and nothing of it is given")
    func changedRecord() throws {
        let server = TestServer(try context())
        let client = TestClient()
        server.exchange(with: client)
        client.send(Array("secret".utf8))
        var record = client.takeOutput()
        record[record.count - 1] ^= 1
        server.receive(record)
        guard case .failed = server.state else {
            Issue.record("not noticed")
            return
        }
        #expect(server.plain.isEmpty)
    }
}
