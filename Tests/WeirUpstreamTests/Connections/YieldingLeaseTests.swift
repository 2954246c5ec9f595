// SPDX-License-Identifier: Apache-2.0
// Requests that give way to others: they wait for nothing, and leave a half of each endpoint's connections to those.

import Testing
import WeirEventLoop
import WeirHTTP
import WeirUpstream

@Suite struct YieldingLeaseTests {
    private static let answer = "HTTP/1.1 204 No Content\r\n\r\n"

    @Test(arguments: [(1, 1), (2, 1), (3, 1), (4, 2), (7, 3), (16, 8)])
    func `half of an endpoint's connections, rounded down, are left to the others, but one is to be had`(
        connectionsMax: Int,
        yielding: Int
    ) throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) { $0.connectionsMax = connectionsMax }
        for _ in 0..<yielding { #expect(test.request().lease(yields: true) == .leased) }
        for _ in 0..<3 { #expect(test.request().lease(yields: true) == .full) }
        #expect(test[0].connectionCount == yielding)
        for _ in yielding..<connectionsMax { #expect(test.request().lease() == .leased) }
        #expect(test.request().lease() == .waits)
    }

    @Test func `connections of the others count, too`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) { $0.connectionsMax = 4 }
        for _ in 0..<2 { #expect(test.request().lease() == .leased) }
        #expect(test.request().lease(yields: true) == .full)
        #expect(test.request().lease() == .leased)
        #expect(test.pool.waitingCount == 0)
    }

    @Test func `an unused connection is taken, however many there are`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) { $0.connectionsMax = 2 }
        let requests = (0..<2).map { _ in test.request() }
        for request in requests { request.begin() }
        let peers = [try endpoint.accept(), try endpoint.accept()]
        test.turn()
        for peer in peers { peer.send(Self.answer) }
        test.turn(until: "both are over") { requests.allSatisfy { $0.endedCount == 1 } }
        withExtendedLifetime(peers) {
            for _ in 0..<2 { #expect(test.request().lease(yields: true) == .leased) }
            #expect(test[0].openedCount == 2)
            #expect(test.request().lease(yields: true) == .full)
        }
    }

    @Test func `nobody yields to nobody, but to who waits on any loop`() throws {
        let endpoint = try ScriptedEndpoint()
        var policy = UpstreamPolicy()
        policy.connectionsMax = 2
        let upstream = Upstream(name: "test", endpoints: [endpoint.url], policy: policy)
        let (one, two) = (try PoolInHand(upstream), try PoolInHand(upstream, index: 1))
        let copy = two.request()
        copy.begin()
        let peer = try endpoint.accept()
        two.turn()
        peer.send(Self.answer)
        two.turn(until: "its connection is unused") { copy.endedCount == 1 }
        #expect(one.request().lease() == .leased)
        let waiting = one.request()
        #expect(waiting.lease() == .waits)
        #expect(two.request().lease(yields: true) == .full)
        one.pool.stopWaiting(waiting.taker)
        withExtendedLifetime(peer) { #expect(two.request().lease(yields: true) == .leased) }
    }

    @Test func `before the first word of a source there is none`() throws {
        let upstream = Upstream(name: "test", endpoints: [], policy: UpstreamPolicy(), source: "file:///list")
        let test = try PoolInHand(upstream)
        #expect(test.request().lease(yields: true) == .unavailable)
        #expect(test.request().lease() == .waits)
        #expect(test.request().lease(yields: true) == .full)
        #expect(test.pool.waitingCount == 1)
    }
}
