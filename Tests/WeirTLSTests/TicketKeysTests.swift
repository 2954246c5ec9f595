// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirTLS

@Suite("TicketKeys") struct TicketKeysTests {
    private func context(_ keys: TicketKeys) throws -> TLSContext {
        try TLSContext([Pairs.pair(Pairs.one), Pairs.pair(Pairs.two)], lowest: .tls12, tickets: keys)
    }

    private func key(_ byte: UInt8) throws -> TicketKeys.Key {
        try #require(TicketKeys.Key([UInt8](repeating: byte, count: TicketKeys.Key.byteCount)))
    }

    /// A ticket that a server with these keys gives.
    private func ticket(_ keys: TicketKeys, _ options: TestClient.Options = .init()) throws -> TestClient.Ticket {
        let server = TestServer(try context(keys))
        let client = TestClient(options)
        server.exchange(with: client)
        #expect(!server.isResumed)
        // A session that is not ended is not taken up again.
        client.end()
        return try #require(client.ticket)
    }

    private func resumes(_ ticket: TestClient.Ticket, _ keys: TicketKeys, name: String? = nil) throws -> Bool {
        let server = TestServer(try context(keys))
        let client = TestClient(.init(serverName: name), resuming: ticket)
        server.exchange(with: client)
        #expect(server.isEstablished)
        client.end()
        return server.isResumed
    }

    @Test("A session is resumed by its ticket, also in another context of the same keys")
    func resumes() throws {
        let keys = TicketKeys([try key(1)])
        #expect(try resumes(ticket(keys), keys))
        #expect(try resumes(ticket(keys, .init(serverName: "two.test")), keys, name: "two.test"))
    }

    @Test("Whoever resumes by TLS 1.3 gets another ticket, to be used the next time")
    func chain() throws {
        let keys = TicketKeys([try key(1)])
        var ticket = try ticket(keys)
        for _ in 0..<3 {
            let server = TestServer(try context(keys))
            let client = TestClient(.init(), resuming: ticket)
            server.exchange(with: client)
            #expect(server.isResumed)
            client.end()
            let next = try #require(client.ticket)
            #expect(next.bytes != ticket.bytes)
            ticket = next
        }
    }

    @Test("Another replica takes it that has the same key, and none that has not")
    func shared() throws {
        let ticket = try ticket(TicketKeys([key(1)]))
        #expect(try resumes(ticket, TicketKeys([key(1)])))
        #expect(try resumes(ticket, TicketKeys([key(2), key(1)])))
        #expect(try !resumes(ticket, TicketKeys([key(2)])))
    }

    @Test("After a rotation the former keys open, as many as are kept")
    func rotation() throws {
        let keys = TicketKeys([try key(1)])
        let ticket = try ticket(keys)
        keys.rotate(to: try key(2), keeping: 2)
        keys.rotate(to: try key(3), keeping: 2)
        #expect(try resumes(ticket, keys))
        keys.rotate(to: try key(4), keeping: 2)
        #expect(try !resumes(ticket, keys))
    }

    /// What names the key that sealed a ticket: its first bytes, in clear.
    private func keyName(_ ticket: TestClient.Ticket) -> [UInt8] { Array(ticket.bytes.prefix(16)) }

    @Test("A key of the process's own seals for an hour, and opens for two more")
    func hourly() throws {
        let hour = TicketRotation.keyAgeNanoseconds
        #expect(hour == 3600 * 1_000_000_000)
        let keys = TicketKeys([try key(1)])
        let start: UInt64 = 5
        var rotation = TicketRotation(keys, at: start)
        let first = try ticket(keys)
        #expect(keyName(first) == [UInt8](repeating: 1, count: 16))
        rotation.look(at: start + hour - 1)
        #expect(try keyName(ticket(keys)) == keyName(first))
        rotation.look(at: start + hour)
        let second = try ticket(keys)
        #expect(keyName(second) != keyName(first))
        rotation.look(at: start + 2 * hour - 1)
        #expect(try keyName(ticket(keys)) == keyName(second))
        rotation.look(at: start + 2 * hour)
        #expect(try resumes(first, keys))
        rotation.look(at: start + 3 * hour)
        #expect(try !resumes(first, keys))
        #expect(try resumes(second, keys))
    }

    @Test("A key is 80 bytes, and none is like another", arguments: [0, 48, 79, 81])
    func sizes(_ count: Int) throws {
        #expect(TicketKeys.Key([UInt8](repeating: 0, count: count)) == nil)
        #expect(try TicketKeys.Key() != TicketKeys.Key())
    }
}
