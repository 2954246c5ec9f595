// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirUpstream

@Suite struct SystemNamesTests {
    private static let loopback: Set<SocketAddress> = [.ipv4(0x7F00_0001, port: 8123), .ipv6(0, 1, port: 8123)]

    @Test func `a name becomes its addresses, each once, with the port`() throws {
        let test = try DiscoveryInHand(.dns)
        let names = SystemNames(on: test.loop)
        test.start(names.addresses(of: "localhost", port: 8123, for: test.feed))
        test.turn(until: "localhost is found") { !test.listed.isEmpty }
        let found = test.feed.endpoints.compactMap { found -> SocketAddress? in
            if case .address(let address) = found.url.place { address } else { nil }
        }
        #expect(Self.loopback.isSuperset(of: found), "\(found)")
        #expect(Set(found).count == found.count, "each once")
        #expect(test.feed.endpoints.allSatisfy { $0.authority == "localhost:8123" })
    }

    @Test func `a name that is not known is a failure, and asked for again after a second`() throws {
        let test = try DiscoveryInHand(.dns)
        let names = SystemNames(on: test.loop)
        // A label may have 63 bytes: no server is asked.
        let name = String(repeating: "a", count: 64)
        test.start(names.addresses(of: name, port: 80, for: test.feed))
        test.turn(until: "the answer is there") { test.failure != nil }
        #expect(test.failure?.contains("\(name): the system's resolver has no address; none is known yet") == true)
        #expect(test.feed.counts[.failed] == 1)
        test.clock.advance(by: 1_000_000_000)
        test.turn(until: "it is asked for again") { test.feed.counts[.failed] == 2 }
    }

    @Test func `services are not asked for`() throws {
        let test = try DiscoveryInHand(.dns)
        #expect(SystemNames(on: test.loop).services(of: "_http._tcp.a.test", for: test.feed) == nil)
    }
}
