// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing
import WeirEventLoop
import WeirUpstream

@Suite struct EndpointTests {
    private static let place = EndpointURL.Place.address(.ipv4(0x7F00_0001, port: 8080))

    @Test func `places are there up to the bound, and come back`() {
        let endpoint = Endpoint(EndpointURL(place: Self.place))
        #expect(!endpoint.reserveConnection(max: 0))
        for _ in 0..<3 { #expect(endpoint.reserveConnection(max: 3)) }
        #expect(!endpoint.reserveConnection(max: 3))
        #expect(endpoint.connectionCount == 3)
        endpoint.returnConnection()
        #expect(endpoint.connectionCount == 2)
        #expect(endpoint.reserveConnection(max: 3))
        #expect(!endpoint.reserveConnection(max: 2), "a smaller bound holds for who comes next")
    }

    @Test func `threads that reserve and return never have more than the bound together`() throws {
        let endpoint = Endpoint(EndpointURL(place: Self.place))
        let held = Counts()
        let work: @Sendable () -> Void = {
            for _ in 0..<30_000 where endpoint.reserveConnection(max: 2) {
                held.enter()
                held.leave()
                endpoint.returnConnection()
            }
        }
        let first = try SystemThread.start(work)
        let second = try SystemThread.start(work)
        let third = try SystemThread.start(work)
        first.join()
        second.join()
        third.join()
        #expect(held.most <= 2)
        #expect(held.most >= 1)
        #expect(endpoint.connectionCount == 0)
    }

    @Test func `an empty answer does not take away what is known`() {
        let endpoint = Endpoint(EndpointURL(place: .name("orders", port: 80)))
        #expect(endpoint.knownAddresses.isEmpty)
        endpoint.resolved(to: [])
        #expect(endpoint.knownAddresses.isEmpty)
        let found: [SocketAddress] = [.ipv4(1, port: 80), .ipv4(2, port: 80)]
        endpoint.resolved(to: found)
        endpoint.resolved(to: [])
        #expect(endpoint.knownAddresses == found)
    }

    @Test(arguments: [
        (EndpointURL.Place.address(.ipv4(0x7F00_0001, port: 8080)), "127.0.0.1:8080"),
        (.address(.ipv6(0, 1, port: 80)), "[::1]"),
        (.address(.unix(path: "/run/a.sock")), "localhost"),
        (.name("orders.shop.svc", port: 81), "orders.shop.svc:81"),
    ])
    func `the Host of its own is where it is`(place: EndpointURL.Place, host: String) {
        let endpoint = Endpoint(EndpointURL(place: place))
        #expect(String(decoding: endpoint.authorityBytes, as: UTF8.self) == host)
    }

    @Test(arguments: [
        ("https://[fd00::7]:8443", nil, "fd00::7"), ("https://10.0.0.7", nil, "10.0.0.7"),
        ("https://shop.svc:8443", nil, "shop.svc"), ("https://10.0.0.7:8443", "shop.svc:8443", "shop.svc"),
    ])
    func `a certificate must be for the host that it was found by`(_ url: String, found: String?, host: String) throws {
        #expect(Endpoint(try EndpointURL(parsing: url), authority: found).host == host)
    }

    @Test func `each kind of failure has a count of its own`() {
        let endpoint = Endpoint(EndpointURL(place: Self.place))
        #expect(endpoint.failureCounts.map { "\($0.label)" }.count == UpstreamFault.labels.count)
        #expect(Set(endpoint.failureCounts.map { "\($0.label)" }).count == 8)
        #expect(endpoint.failureCounts.allSatisfy { $0.count == 0 })
        #expect(!endpoint.hasAnswered)
    }

    /// How many are inside now, and were at most.
    private final class Counts: Sendable {
        private let present = Atomic<Int>(0)
        private let highest = Atomic<Int>(0)

        var most: Int { highest.load(ordering: .relaxed) }

        func enter() {
            let count = present.wrappingAdd(1, ordering: .relaxed).newValue
            _ = highest.max(count, ordering: .relaxed)
        }

        func leave() { present.wrappingSubtract(1, ordering: .relaxed) }
    }
}
