// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirUpstream

@Suite struct EndpointReplacementTests {
    private static let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    /// A request that `endpoint` has been sent.
    private func begin(_ test: PoolInHand, _ endpoint: ScriptedEndpoint) throws -> (TestRequest, ScriptedPeer) {
        let request = test.request()
        request.begin()
        test.turn()
        return (request, try endpoint.accept())
    }

    @Test func `an endpoint that stays keeps its connections and counts`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0])
        let stays = test[0]
        let (first, peer) = try begin(test, endpoints[0])
        peer.send(Self.answer)
        test.turn()
        test.replace([endpoints[1].url, endpoints[0].url], policy: test.upstream.policy)
        test.turn()
        #expect(test[1] === stays)
        #expect(stays.connectionCount == 1)
        #expect(stays.requestCount == 1)
        let requests = (0..<2).map { _ in test.request() }
        for request in requests { request.begin() }
        #expect(requests.contains { $0.connection === first.connection })
        #expect(test[0].requestCount == 1)
    }

    @Test func `unused connections to an endpoint that is gone are closed`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0])
        let gone = test[0]
        let (_, peer) = try begin(test, endpoints[0])
        peer.send(Self.answer)
        test.turn()
        test.replace([endpoints[1].url], policy: test.upstream.policy)
        test.turn()
        #expect(gone.connectionCount == 0)
        #expect(peer.receivesEnd())
        // The new endpoint has the slot of the former, and none of its connections.
        let (request, _) = try begin(test, endpoints[1])
        #expect(request.connection?.endpoint === test[0])
    }

    @Test func `a loop that has not turned since leases no connection to an endpoint that is gone`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0])
        let (first, peer) = try begin(test, endpoints[0])
        peer.send(Self.answer)
        test.turn()
        test.upstream.replace([DiscoveredEndpoint(endpoints[1].url)], from: nil)
        let second = test.request()
        #expect(second.lease() == .leased)
        #expect(second.connection !== first.connection)
        #expect(second.connection?.endpoint === test[0])
    }

    @Test func `a request on its way to an endpoint that is gone is answered, and its connection is not kept`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0])
        let gone = test[0]
        let (request, peer) = try begin(test, endpoints[0])
        test.replace([endpoints[1].url], policy: test.upstream.policy)
        test.turn()
        peer.send(Self.answer)
        test.turn()
        #expect(request.statuses == [200])
        #expect(request.endedCount == 1)
        #expect(gone.connectionCount == 0)
        #expect(peer.receivesEnd())
    }

    @Test func `whoever waits for a connection gets one to a new endpoint`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0]) { $0.connectionsMax = 1 }
        _ = try begin(test, endpoints[0])
        let waiting = test.request()
        #expect(waiting.lease() == .waits)
        test.replace(endpoints.map(\.url), policy: test.upstream.policy)
        test.turn()
        #expect(waiting.answers == [.waits, .leased])
        #expect(waiting.connection?.endpoint === test[1])
    }

    @Test func `whoever waits gets one where more connections are allowed`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) { $0.connectionsMax = 1 }
        _ = try begin(test, endpoint)
        let waiting = test.request()
        #expect(waiting.lease() == .waits)
        var policy = test.upstream.policy
        policy.connectionsMax = 2
        test.replace([endpoint.url], policy: policy)
        test.turn()
        #expect(waiting.answers == [.waits, .leased])
    }

    @Test func `without endpoints a request fails, and those who wait are told`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) { $0.connectionsMax = 1 }
        _ = try begin(test, endpoint)
        let waiting = test.request()
        #expect(waiting.lease() == .waits)
        test.replace([], policy: test.upstream.policy)
        test.turn()
        #expect(waiting.answers == [.waits, .unavailable])
        #expect(test.request().lease() == .unavailable)
        test.replace([endpoint.url], policy: test.upstream.policy)
        #expect(test.request().lease() == .leased)
    }

    @Test func `weights are those of the new list`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1])
        let heavier = EndpointURL(place: endpoints[1].url.place, weight: 3)
        test.replace([endpoints[0].url, heavier], policy: test.upstream.policy)
        for _ in 0..<40 { #expect(test.request().lease() == .leased) }
        #expect(test.upstream.endpoints.map(\.requestCount) == [10, 30])
    }

    @Test func `a pool is quiet when its last request has ended`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        #expect(test.pool.isQuiet)
        let (_, peer) = try begin(test, endpoint)
        test.pool.close()
        #expect(!test.pool.isQuiet)
        peer.send(Self.answer)
        test.turn()
        #expect(test.pool.isQuiet)
    }
}
