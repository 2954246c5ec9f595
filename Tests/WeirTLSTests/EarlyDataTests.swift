// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Testing
import WeirTLS

@Suite("Early data") struct EarlyDataTests {
    private let request = Array("GET / HTTP/1.1\r\n\r\n".utf8)

    private func context(takes: Bool = true) throws -> TLSContext {
        try TLSContext(
            [Pairs.pair(Pairs.one), Pairs.pair(Pairs.two)],
            lowest: .tls12,
            tickets: TicketKeys([TicketKeys.Key()]),
            takesEarlyData: takes
        )
    }

    private func ticket(_ context: TLSContext, name: String? = nil) throws -> TestClient.Ticket {
        let server = TestServer(context)
        let client = TestClient(.init(serverName: name))
        server.exchange(with: client)
        client.end()
        return try #require(client.ticket)
    }

    @Test("A request comes with the first bytes of a client that was there before, and is answered at once")
    func taken() throws {
        let context = try context()
        for name in ["one.test", "two.test"] {
            let server = TestServer(context)
            let client = TestClient(.init(serverName: name), resuming: try ticket(context, name: name))
            #expect(client.sendEarly(request))
            server.receive(client.takeOutput())
            #expect(server.early == request)
            #expect(!server.isEstablished)
            // Before the client has said anything more.
            #expect(server.send(Array("answer".utf8)))
            #expect(client.receive(server.takeOutput()) == Array("answer".utf8))
            #expect(client.wasEarlyTaken)
            client.finish()
            server.exchange(with: client)
            #expect(server.isEstablished)
            client.send(Array("more".utf8))
            server.exchange(with: client)
            #expect(server.plain == request + Array("more".utf8))
            #expect(server.early == request)
            #expect(server.send(Array("later".utf8)))
            #expect(server.exchange(with: client) == Array("later".utf8))
        }
    }

    @Test("What comes with the end of the handshake is early no more")
    func confirmed() throws {
        let context = try context()
        let server = TestServer(context)
        let client = TestClient(.init(), resuming: try ticket(context))
        #expect(client.sendEarly(request))
        let first = client.takeOutput()
        // The request's record comes after the rest.
        let cut = try #require(Self.lastRecord(first))
        server.receive(Array(first[..<cut]))
        _ = client.receive(server.takeOutput())
        client.finish()
        server.receive(Array(first[cut...]) + client.takeOutput())
        #expect(server.isEstablished)
        #expect(server.plain == request)
        #expect(server.early.isEmpty)
    }

    /// Where the last record begins.
    private static func lastRecord(_ bytes: [UInt8]) -> Int? {
        var start = 0
        while start + 5 <= bytes.count {
            let end = start + 5 + Int(bytes[start + 3]) << 8 + Int(bytes[start + 4])
            if end == bytes.count { return start }
            start = end
        }
        return nil
    }

    @Test("The same bytes again, of whomever, are not taken: the session was used")
    func replayed() throws {
        let context = try context()
        let client = TestClient(.init(), resuming: try ticket(context))
        #expect(client.sendEarly(request))
        let bytes = client.takeOutput()
        let server = TestServer(context)
        server.receive(bytes)
        #expect(server.early == request)
        for other in [context, try self.context()] {
            let again = TestServer(other)
            again.receive(bytes)
            #expect(again.plain.isEmpty)
            #expect(!again.isEstablished)
        }
    }

    @Test(
        "Who has no ticket, or speaks TLS 1.2, is served as ever",
        arguments: [TLS1_2_VERSION, TLS1_3_VERSION],
        [1, .max]
    )
    func withoutTicket(_ highest: Int32, pieces: Int) throws {
        let server = TestServer(try context())
        let client = TestClient(.init(highest: highest))
        server.exchange(with: client, pieces: pieces)
        #expect(server.isEstablished)
        client.send(request)
        server.exchange(with: client, pieces: pieces)
        #expect(server.plain == request)
        #expect(server.early.isEmpty)
        #expect(server.send(Array("answer".utf8)))
        #expect(server.exchange(with: client, pieces: pieces) == Array("answer".utf8))
    }

    @Test("Early data may be cut anywhere")
    func cut() throws {
        let context = try context()
        let server = TestServer(context)
        let client = TestClient(.init(), resuming: try ticket(context))
        #expect(client.sendEarly(request))
        for byte in client.takeOutput() { server.receive([byte]) }
        #expect(server.early == request)
        _ = client.receive(server.takeOutput())
        client.finish()
        server.exchange(with: client, pieces: 1)
        #expect(server.isEstablished)
        #expect(server.plain == request)
    }

    @Test("A server that takes none says so in its tickets")
    func notTaken() throws {
        let client = TestClient(.init(), resuming: try ticket(context(takes: false)))
        #expect(!client.sendEarly(request))
    }
}
