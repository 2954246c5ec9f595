// SPDX-License-Identifier: Apache-2.0
// Endpoints that have taken longer of late than what is left of a request.

import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

@Suite struct LateEndpointTests {
    private static let second: Nanoseconds = 1_000_000_000

    private static func makeSlow(_ endpoint: Endpoint) {
        for _ in 0..<9 { endpoint.responseTimes.note(10 * second, route: 0) }
        // The first that is late is let through.
        _ = endpoint.responseTimes.admits(0, route: 0, at: 1 << 62)
    }

    @Test func `the time to the head is noted, from the end of the request`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        for _ in 0..<5 {
            let request = test.request()
            request.begin()
            let peer = try endpoint.accept()
            test.turn()
            _ = peer.receive()
            test.advance(by: .seconds(3))
            peer.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            test.turn(until: "the answer is there") { request.isOver }
        }
        #expect(test[0].responseTimes.median(route: 0) == 3 * Self.second)
    }

    @Test func `a request that was given up counts as one that took at least so long`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        for _ in 0..<5 {
            let request = test.request()
            request.begin()
            // Kept open: an endpoint that closes fails, and is not slow.
            let peer = try endpoint.accept()
            test.turn()
            _ = peer.receive()
            test.advance(by: .seconds(4))
            request.connection?.cancel(isLate: true)
            test.turn()
        }
        #expect(test[0].responseTimes.median(route: 0) == 4 * Self.second)
    }

    @Test func `an endpoint that stands still is blamed for each request that it lets wait`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        for _ in 0..<10 {
            let request = test.request()
            request.begin()
            let peer = try endpoint.accept()
            test.turn()
            _ = peer.receive()
            test.advance(by: .seconds(1))
            request.connection?.cancel(isLate: true)
            test.turn()
        }
        #expect(test[0].outcomes.counts.run(since: 0) == 10)
    }

    @Test func `a late endpoint is passed over for one that is not`() throws {
        let endpoints = try [ScriptedEndpoint(), ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1])
        Self.makeSlow(test[0])
        for _ in 0..<6 {
            let request = test.request()
            #expect(request.lease(left: Self.second) == .leased)
            #expect(request.connection?.endpoint.slot == 1)
        }
        #expect(test[0].connectionCount == 0)
    }

    @Test func `where all are late nothing is leased, and who has more time is served`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        Self.makeSlow(test[0])
        #expect(test.request().lease(left: Self.second) == .late)
        #expect(test[0].connectionCount == 0)
        #expect(test.request().lease(left: 10 * Self.second) == .leased)
    }

    @Test func `a route on which an endpoint is slow holds no other back`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        Self.makeSlow(test[0])
        #expect(test.request().lease(left: Self.second) == .late)
        #expect(test.request().lease(route: 1, left: Self.second) == .leased)
        // Beyond as many routes as are told apart, one shares another's times.
        let last = RouteResponseTimes.routesMax - 1
        #expect(test.request().lease(route: last, left: Self.second) == .leased)
        #expect(test.request().lease(route: last + 1, left: Self.second) == .late)
    }

    @Test func `the time to the head is noted for the route that asked`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        for _ in 0..<5 {
            let request = test.request()
            request.lease(route: 7)
            request.send()
            let peer = try endpoint.accept()
            test.turn()
            _ = peer.receive()
            test.advance(by: .seconds(3))
            peer.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            test.turn(until: "the answer is there") { request.isOver }
        }
        #expect(test[0].responseTimes.median(route: 7) == 3 * Self.second)
        #expect(test[0].responseTimes.median(route: 0) == 0)
    }

    @Test func `a late request does not wait for a connection to an endpoint that is full`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) { $0.connectionsMax = 1 }
        Self.makeSlow(test[0])
        #expect(test.request().lease() == .leased)
        #expect(test.request().lease(left: Self.second) == .late)
        #expect(test.request().lease() == .waits)
    }
}
