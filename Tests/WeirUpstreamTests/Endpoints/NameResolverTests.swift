// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

@Suite struct NameResolverTests {
    @Test func `a name becomes its addresses, with the endpoint's port`() throws {
        let upstream = Upstream(
            name: "test",
            endpoints: [
                EndpointURL(place: .name("localhost", port: 8123)),
                EndpointURL(place: .address(.ipv4(0x0A00_0001, port: 80))),
            ],
            policy: UpstreamPolicy()
        )
        let resolver = NameResolver([upstream])
        try resolver.start()
        defer { resolver.stop() }
        eventually("localhost is found") { !upstream.endpoints[0].knownAddresses.isEmpty }
        let loopback: [SocketAddress] = [.ipv4(0x7F00_0001, port: 8123), .ipv6(0, 1, port: 8123)]
        let found = upstream.endpoints[0].knownAddresses
        #expect(!found.isEmpty)
        #expect(found.allSatisfy { loopback.contains($0) }, "\(found)")
        #expect(Set(found.map(\.description)).count == found.count, "each once")
        #expect(upstream.endpoints[1].knownAddresses == [.ipv4(0x0A00_0001, port: 80)], "an address is not looked up")
    }

    @Test func `requests go to a name that was found, and fail before`() throws {
        let endpoint = try ScriptedEndpoint(isTCP: true)
        guard case .address(let address) = endpoint.url.place, let port = address.port else { return }
        let upstream = Upstream(
            name: "test",
            endpoints: [EndpointURL(place: .name("localhost", port: port))],
            policy: UpstreamPolicy()
        )
        let test = try PoolInHand(upstream)
        #expect(test.request().lease() == .failed(.connect))
        #expect(test.failures("connect") == 1)
        #expect(test[0].connectionCount == 0)
        // Addresses take turns: of two, the second request gets the other.
        let other = try ScriptedEndpoint(isTCP: true)
        guard case .address(let second) = other.url.place else { return }
        upstream.endpoints[0].resolved(to: [address, second])
        for _ in 0..<2 { #expect(test.request().lease() == .leased) }
        test.turn(until: "both stand") { test[0].openedCount == 2 }
        _ = try endpoint.accept()
        _ = try other.accept()
    }
}
