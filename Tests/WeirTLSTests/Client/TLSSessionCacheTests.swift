// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Glibc
import Testing
import WeirTLS

@Suite struct TLSSessionCacheTests {
    private let tickets: TicketKeys
    private let cache = TLSSessionCache()
    private let context: TLSClientContext

    init() throws {
        tickets = TicketKeys([try TicketKeys.Key()])
        context = try TLSClientContext(ClientHandshakeTests.trusted)
    }

    /// Whether a handshake from the cache was a resumed one.
    private func shake(
        _ context: TLSClientContext? = nil,
        _ pair: MadeCertificate = Pairs.one,
        after seconds: Int64 = 0,
        server name: String = ""
    ) throws -> Bool {
        let server = TestServer(try TLSContext([Pairs.pair(pair)], lowest: .tls12, tickets: tickets, server: name))
        let client = ClientInHand(context ?? self.context, resuming: cache, now: Int64(time(nil)) + seconds)
        client.exchange(with: server)
        #expect(client.isEstablished)
        #expect(client.isResumed == server.isResumed)
        return client.isResumed
    }

    @Test func `a session is resumed, and its ticket is not used again`() throws {
        #expect(try !shake())
        #expect(cache.count == 1)
        #expect(try shake())
        // The server has given another.
        #expect(cache.count == 1)
        #expect(try shake())
        cache.removeAll()
        #expect(try !shake())
    }

    @Test func `a ticket of TLS 1.3 is gone when it is used, a session of 1.2 stays`() throws {
        for (version, left) in [(TLS1_3_VERSION, 0), (TLS1_2_VERSION, 1)] {
            cache.removeAll()
            let client = ClientInHand(context, resuming: cache)
            client.exchange(with: RawServer(Pairs.one, .init(highest: version)))
            #expect(client.isEstablished)
            let count = cache.count
            #expect(count > 0)
            // Used, whatever comes of it.
            _ = ClientInHand(context, resuming: cache)
            #expect(cache.count == (version == TLS1_3_VERSION ? count - 1 : left))
        }
    }

    @Test func `no more are kept than may be`() throws {
        for _ in 0..<(TLSSessionCache.countMax + 2) {
            let client = ClientInHand(context, resuming: nil)
            client.exchange(with: RawServer(Pairs.one))
            let other = ClientInHand(context, resuming: cache)
            other.exchange(with: RawServer(Pairs.one))
        }
        #expect(cache.count <= TLSSessionCache.countMax)
        #expect(cache.count > 0)
    }

    @Test func `another context resumes none of them, and they are gone for good`() throws {
        #expect(try !shake())
        #expect(try !shake(TLSClientContext(.none)))
        #expect(try !shake())
    }

    @Test func `what a server gives for a session is no younger than the look at its certificate`() throws {
        #expect(try !shake())
        for part in 1...3 as ClosedRange<Int64> { #expect(try shake(after: TLSSessionCache.ageMax / 4 * part)) }
        #expect(try !shake(after: TLSSessionCache.ageMax))
    }

    @Test func `a session is none of another server's that has the same ticket keys`() throws {
        #expect(try !shake(server: "one.crt"))
        #expect(try !shake(server: "two.crt"))
        #expect(try shake(server: "two.crt"))
    }

    @Test func `none is used after its time, or after its certificate's`() throws {
        #expect(try !shake())
        #expect(try !shake(after: TLSSessionCache.ageMax))
        cache.removeAll()
        let short = try MadeCertificate(
            .init(name: "one", alternativeNames: "DNS:one.test", ends: 600),
            issuer: Pairs.authority
        )
        #expect(try !shake(nil, short))
        #expect(try shake(nil, short, after: 300))
        #expect(try !shake(nil, short, after: 601))
    }
}
