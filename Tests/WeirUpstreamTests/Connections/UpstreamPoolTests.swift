// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirHTTP
import WeirTestSupport
import WeirUpstream

@Suite struct UpstreamPoolTests {
    private static let answer = "HTTP/1.1 204 No Content\r\n\r\n"

    /// A request that was sent, and the endpoint's end of its connection.
    private func begin(
        _ test: PoolInHand,
        _ endpoint: ScriptedEndpoint
    ) throws -> (request: TestRequest, peer: ScriptedPeer) {
        let request = test.request()
        request.begin()
        let peer = try endpoint.accept()
        test.turn()
        _ = peer.receive()
        return (request, peer)
    }

    // MARK: Keeping

    @Test func `a connection that served one request serves the next`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let (first, peer) = try begin(test, endpoint)
        #expect(first.connectedCount == 1)
        #expect(first.connection?.isReused == false)
        peer.send(Self.answer)
        test.turn()
        #expect(first.endedCount == 1)
        let second = test.request()
        second.begin()
        #expect(second.connection === first.connection)
        #expect(second.connection?.isReused == true)
        #expect(second.connection?.hasReceived == false)
        #expect(second.connectedCount == 0, "it stood already")
        #expect(peer.receive().text.hasPrefix("GET /"))
        peer.send(Self.answer)
        test.turn()
        #expect(second.endedCount == 1)
        #expect(endpoint.acceptPresent() == nil)
        #expect(test[0].openedCount == 1)
        #expect(test[0].requestCount == 2)
    }

    @Test func `the connection that was used last is used next`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let three = try (0..<3).map { _ in try begin(test, endpoint) }
        for index in [1, 0, 2] {
            three[index].peer.send(Self.answer)
            test.turn()
        }
        #expect(test[0].connectionCount == 3)
        for index in [2, 0, 1] {
            let request = test.request()
            #expect(request.lease() == .leased)
            #expect(request.connection === three[index].request.connection)
        }
    }

    @Test(arguments: 1...5)
    func `leasing, giving back and closing in any order loses and doubles nothing`(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        // Of each open connection: who has it, if anybody.
        var peers: [(connection: UpstreamConnection, peer: ScriptedPeer)] = []
        var busy: [TestRequest] = []
        var idle: [UpstreamConnection] = []
        for step in 0..<300 {
            switch random.below(4) {
            case 0, 1:
                let request = test.request()
                request.begin()
                let connection = try #require(request.connection)
                if let newest = idle.popLast() {
                    #expect(connection === newest, "seed \(seed), step \(step)")
                } else {
                    #expect(!peers.contains { $0.connection === connection })
                    peers.append((connection, try endpoint.accept()))
                }
                test.turn()
                busy.append(request)
            case 2 where !busy.isEmpty:
                let request = busy.remove(at: random.below(busy.count))
                let connection = try #require(request.connection)
                let place = try #require(peers.firstIndex { $0.connection === connection })
                _ = peers[place].peer.receive()
                peers[place].peer.send(Self.answer)
                test.turn()
                #expect(request.endedCount == 1)
                idle.append(connection)
            case 3 where !peers.isEmpty:
                // Used or not: the endpoint closes it.
                let (connection, peer) = peers.remove(at: random.below(peers.count))
                _ = peer.receive()
                peer.close()
                test.turn()
                idle.removeAll { $0 === connection }
                busy.removeAll { $0.connection === connection }
            default: break
            }
            #expect(test[0].connectionCount == peers.count, "seed \(seed), step \(step)")
            #expect(test[0].requestsExecuting == busy.count)
        }
    }

    @Test func `an unused connection is closed after its time, and not before`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) { $0.idleTimeout = 10_000_000_000 }
        let (_, peer) = try begin(test, endpoint)
        peer.send(Self.answer)
        test.turn()
        test.advance(by: .milliseconds(9999))
        #expect(!peer.receive().isEnd)
        test.advance(by: .milliseconds(1))
        #expect(peer.receivesEnd())
        #expect(test[0].connectionCount == 0)
        #expect(test[0].failureCounts.allSatisfy { $0.count == 0 })
    }

    @Test func `being used again stops that time`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) { $0.idleTimeout = 10_000_000_000 }
        let (_, peer) = try begin(test, endpoint)
        peer.send(Self.answer)
        test.turn()
        test.advance(by: .seconds(9))
        let second = test.request()
        second.begin()
        test.advance(by: .seconds(300))
        peer.send(Self.answer)
        test.turn()
        #expect(second.endedCount == 1)
        test.advance(by: .seconds(9))
        #expect(test[0].connectionCount == 1)
    }

    @Test func `an unused connection that speaks or ends is given up`() throws {
        for speaks in [true, false] {
            let endpoint = try ScriptedEndpoint()
            let test = try PoolInHand(endpoint)
            let (first, peer) = try begin(test, endpoint)
            peer.send(Self.answer)
            test.turn()
            if speaks { peer.send("HTTP/1.1 408 Request Timeout\r\n\r\n") } else { peer.close() }
            test.turn()
            #expect(test[0].connectionCount == 0)
            #expect(first.faults.isEmpty)
            let second = test.request()
            second.begin()
            #expect(second.connection !== first.connection)
        }
    }

    @Test func `an end that crosses the next request is seen beforehand, or told as such`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let (first, peer) = try begin(test, endpoint)
        #expect(first.connection?.isStale == false)
        peer.send(Self.answer)
        test.turn()
        peer.close()
        // The loop has not turned: it does not know.
        let second = test.request()
        #expect(second.lease() == .leased)
        #expect(second.connection === first.connection)
        #expect(second.connection?.isStale == true)
        second.send()
        test.turn()
        #expect(second.faults.count == 1)
        #expect(second.faults == [.closed] || second.faults == [.reset])
        #expect(second.connection?.isReused == true)
        #expect(second.connection?.hasReceived == false)
    }

    // MARK: Whose turn it is

    @Test func `requests go to endpoints as often as their weights say`() throws {
        let endpoints = [try ScriptedEndpoint(weight: 3), try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1], endpoints[2])
        for _ in 0..<50 { #expect(test.request().lease() == .leased) }
        #expect(test.upstream.endpoints.map(\.requestCount) == [30, 10, 10])
    }

    @Test func `an endpoint that cannot be connected to at all is passed over`() throws {
        let endpoints = [try ScriptedEndpoint(weight: 9), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1])
        endpoints[0].close()
        for _ in 0..<20 {
            let request = test.request()
            #expect(request.lease() == .leased)
            #expect(request.connection?.endpoint.slot == 1)
        }
        #expect(test.failures("connect", at: 0).map { $0 >= 18 } == true)
        #expect(test[0].connectionCount == 0)
    }

    @Test func `when none can be connected to the request fails`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1])
        for endpoint in endpoints { endpoint.close() }
        #expect(test.request().lease() == .failed(.connect))
        #expect(test.failures("connect", at: 0) == 1)
        #expect(test.failures("connect", at: 1) == 1)
        #expect(test.upstream.endpoints.allSatisfy { $0.connectionCount == 0 && $0.requestsExecuting == 0 })
    }

    @Test func `who has tried one in vain gets another, whatever the weights`() throws {
        let endpoints = [try ScriptedEndpoint(weight: 100), try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1], endpoints[2])
        for failed in [0, 1, 2, 0] {
            let request = test.request()
            #expect(request.lease(after: failed) == .leased)
            #expect(request.connection?.endpoint.slot != failed)
        }
    }

    // MARK: Refused and late

    @Test func `a refused connection is one failure`() throws {
        let endpoint = try ScriptedEndpoint(isTCP: true)
        let test = try PoolInHand(endpoint)
        endpoint.close()
        let request = test.request()
        request.begin()
        test.turn(until: "it fails") { request.isOver }
        test.turn()
        #expect(request.faults == [.connect])
        #expect(request.connectedCount == 0)
        #expect(test.failures("connect") == 1)
        #expect(test[0].connectionCount == 0)
        #expect(test[0].openedCount == 0)
        #expect(!test[0].hasAnswered)
    }

    /// An endpoint that takes no connection any more: loopback takes one more than the backlog.
    private func silentEndpoint() throws -> (endpoint: ScriptedEndpoint, filler: PoolInHand) {
        let endpoint = try ScriptedEndpoint(isTCP: true, backlog: 0)
        let filler = try PoolInHand(endpoint)
        filler.request().begin()
        filler.turn(until: "the backlog is full") { filler[0].openedCount == 1 }
        return (endpoint, filler)
    }

    @Test func `a connection that is not made in time is one failure, of its own kind`() throws {
        let (endpoint, filler) = try silentEndpoint()
        let test = try PoolInHand(endpoint) { $0.connectTimeout = 3_000_000_000 }
        let request = test.request()
        request.begin()
        test.advance(by: .milliseconds(2999))
        #expect(!request.isOver)
        test.advance(by: .milliseconds(1))
        #expect(request.faults == [.connectTimeout])
        #expect(test.failures("connect_timeout") == 1)
        #expect(test.failures("connect") == 0)
        #expect(test[0].connectionCount == 0)
        withExtendedLifetime(filler) {}
    }

    @Test func `a body that waits for the connection does not put its timeout off`() throws {
        let (endpoint, filler) = try silentEndpoint()
        let test = try PoolInHand(endpoint) { $0.connectTimeout = 3_000_000_000 }
        let request = test.request(.post)
        request.begin()
        request.connection?.awaitDrain()
        test.advance(by: .seconds(3))
        #expect(request.faults == [.connectTimeout])
        withExtendedLifetime(filler) {}
    }

    @Test func `giving up while it connects is nobody's failure`() throws {
        let (endpoint, filler) = try silentEndpoint()
        let test = try PoolInHand(endpoint)
        let request = test.request()
        request.begin()
        request.connection?.cancel()
        test.turn()
        #expect(!request.isOver)
        #expect(test[0].failureCounts.allSatisfy { $0.count == 0 })
        #expect(test[0].connectionCount == 0)
        withExtendedLifetime(filler) {}
    }

    @Test func `a probe that is not answered in time is a failure of that kind`() throws {
        let (endpoint, filler) = try silentEndpoint()
        let test = try PoolInHand(endpoint) { $0.connectTimeout = 3_000_000_000 }
        test.pool.probe()
        test.advance(by: .seconds(3))
        #expect(test.failures("connect_timeout") == 1)
        #expect(test.failures("connect") == 0)
        #expect(test[0].connectionCount == 0)
        withExtendedLifetime(filler) {}
    }

    @Test func `an endpoint may take its time to the head, but not in the middle of a message`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) { $0.transferTimeout = 20_000_000_000 }
        let (request, peer) = try begin(test, endpoint)
        // The head has the request's deadline, which is the taker's.
        test.advance(by: .seconds(3600))
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        test.turn()
        for _ in 0..<3 {
            test.advance(by: .milliseconds(19_999))
            peer.send("a")
            test.turn()
        }
        #expect(request.text == "aaa")
        #expect(!request.isOver)
        test.advance(by: .milliseconds(19_999))
        #expect(!request.isOver)
        test.advance(by: .milliseconds(1))
        #expect(request.faults == [.timeout])
        #expect(test.failures("timeout") == 1)
        #expect(test[0].connectionCount == 0)
        #expect(peer.receivesEnd())
    }

    @Test func `an endpoint may not stop taking a body`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) { $0.transferTimeout = 20_000_000_000 }
        let request = test.request(.post)
        #expect(request.lease() == .leased)
        let peer = try endpoint.accept()
        test.turn()
        request.write([UInt8](repeating: UInt8(ascii: "b"), count: 1_000_000))
        request.connection?.awaitDrain()
        test.advance(by: .seconds(19))
        #expect(!request.isOver)
        // It takes all of it: from then on the head may take its time.
        test.turn(until: "the body is taken") {
            _ = peer.receive()
            return request.drainedCount == 1
        }
        test.advance(by: .seconds(600))
        #expect(!request.isOver)
        request.write([UInt8](repeating: UInt8(ascii: "b"), count: 1_000_000))
        request.connection?.awaitDrain()
        test.advance(by: .seconds(20))
        #expect(request.faults == [.timeout])
    }

    // MARK: Probing

    @Test func `a probe learns that the endpoint answers, and is kept for the first request`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1])
        #expect(!test.upstream.hasAnswered)
        test.pool.probe()
        test.pool.probe()
        test.turn()
        #expect(test.upstream.hasAnswered)
        #expect(test.upstream.endpoints.map(\.openedCount) == [1, 1])
        #expect(test.upstream.endpoints.map(\.requestCount) == [0, 0])
        let peer = try endpoints[0].accept()
        let request = test.request()
        request.begin()
        #expect(peer.receive().text.hasPrefix("GET /"))
        #expect(endpoints[0].acceptPresent() == nil)
        peer.send(Self.answer)
        test.turn()
        #expect(request.endedCount == 1)
    }

    @Test func `a connection that was kept unused counts as such, though it never served`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        test.pool.probe()
        test.turn()
        let request = test.request()
        request.begin()
        #expect(request.connection?.isReused == true, "its end may cross the request")
    }

    @Test func `a refused probe is a failure, and leaves nothing behind`() throws {
        let endpoint = try ScriptedEndpoint(isTCP: true)
        let test = try PoolInHand(endpoint)
        endpoint.close()
        test.pool.probe()
        test.turn(until: "it fails") { test.failures("connect") == 1 }
        test.turn()
        #expect(test.failures("connect") == 1)
        #expect(test[0].connectionCount == 0)
        #expect(!test.upstream.hasAnswered)
    }

    // MARK: Drain

    @Test func `a drain closes what is unused, and what has served its request`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let (_, unused) = try begin(test, endpoint)
        let (working, peer) = try begin(test, endpoint)
        unused.send(Self.answer)
        test.turn()
        test.pool.close()
        test.turn()
        #expect(unused.receivesEnd())
        #expect(test[0].connectionCount == 1)
        let (late, latePeer) = try begin(test, endpoint)
        for peer in [peer, latePeer] { peer.send(Self.answer) }
        test.turn()
        #expect(working.endedCount == 1)
        #expect(late.endedCount == 1)
        #expect(test[0].connectionCount == 0)
    }

    @Test func `a probe that stands after the drain began is closed`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        test.pool.probe()
        test.pool.close()
        test.turn()
        #expect(test[0].connectionCount == 0)
        #expect(try endpoint.accept().receivesEnd())
    }

    @Test func `the end of the loop ends the requests, and their connections' places are free`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let (first, firstPeer) = try begin(test, endpoint)
        let (unused, peer) = try begin(test, endpoint)
        peer.send(Self.answer)
        test.turn()
        #expect(unused.endedCount == 1)
        // It tries again, as a request would whose connection has failed.
        first.onFailed = { [unowned first] _ in first.lease() }
        test.end()
        #expect(first.faults.count == 1)
        #expect(first.answers == [.leased, .failed(.connect)])
        #expect(firstPeer.receivesEnd())
        #expect(test[0].connectionCount == 0)
        #expect(test[0].requestsExecuting == 0)
    }

    @Test func `connections to where a name has moved from are not kept`() throws {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        let places = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let addresses = places.compactMap { place -> SocketAddress? in
            if case .address(let address) = place.url.place { address } else { nil }
        }
        let url = EndpointURL(place: .name("a.test", port: 80))
        let test = try PoolInHand(Upstream(name: "test", endpoints: [url], policy: UpstreamPolicy()))
        test[0].resolved(to: [addresses[0]])
        let requests = (0..<2).map { _ in test.request() }
        for request in requests { request.begin() }
        test.turn()
        let peers = [try places[0].accept(), try places[0].accept()]
        peers[0].send(answer)
        test.turn(until: "it is answered") { requests[0].isOver }
        // One more place leaves the others.
        test.upstream.resolved(test[0], to: addresses)
        test.turn()
        #expect(test[0].connectionCount == 2)
        test.upstream.resolved(test[0], to: [addresses[1]])
        test.turn()
        #expect(peers[0].receivesEnd())
        #expect(test[0].connectionCount == 1)
        peers[1].send(answer)
        test.turn(until: "it is answered") { requests[1].isOver }
        #expect(requests[1].statuses == [200])
        #expect(peers[1].receivesEnd())
        // What is at the present place is kept, also where another goes again.
        let next = test.request()
        next.begin()
        test.turn()
        let peer = try places[1].accept()
        test.upstream.resolved(test[0], to: addresses)
        test.upstream.resolved(test[0], to: [addresses[1]])
        peer.send(answer)
        test.turn(until: "it is answered") { next.isOver }
        #expect(test[0].connectionCount == 1)
    }
}
