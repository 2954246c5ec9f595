// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirHTTP
import WeirUpstream

@Suite struct UpstreamWaitingTests {
    private static let answer = "HTTP/1.1 204 No Content\r\n\r\n"

    @Test func `who waits is served in the order of coming, over the one connection`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) { $0.connectionsMax = 1 }
        let first = test.request()
        first.begin()
        let peer = try endpoint.accept()
        test.turn()
        var served: [Int] = []
        let waiting = (0..<4).map { number in
            let request = test.request()
            request.onAvailable = { [unowned request] in
                served.append(number)
                request.begin()
            }
            return request
        }
        for request in waiting { #expect(request.lease() == .waits) }
        #expect(test.pool.waitingCount == 4)
        #expect(test[0].connectionCount == 1)
        for count in 1...5 {
            #expect(peer.receive().text.components == 1, "one request at a time")
            peer.send(Self.answer)
            test.turn()
            #expect(served == Array((0..<4).prefix(count)))
        }
        #expect(waiting.allSatisfy { $0.endedCount == 1 && $0.availableCount == 1 })
        #expect(test[0].openedCount == 1)
        #expect(test.pool.waitingCount == 0)
    }

    @Test func `who has to wait again keeps its place`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) { $0.connectionsMax = 1 }
        let first = test.request()
        first.begin()
        let peer = try endpoint.accept()
        test.turn()
        let waiting = (0..<3).map { _ in test.request() }
        for request in waiting { #expect(request.lease() == .waits) }
        // Its connection fails once it has been served, as one that cannot be made does, and somebody else has the next.
        let newcomer = test.request()
        waiting[0].onAvailable = {
            waiting[0].onAvailable = { waiting[0].begin() }
            newcomer.begin()
            #expect(waiting[0].lease() == .waits)
        }
        var served: [Int] = []
        for (number, request) in waiting.enumerated().dropFirst() {
            request.onAvailable = { [unowned request] in
                served.append(number)
                request.begin()
            }
        }
        peer.send(Self.answer)
        test.turn()
        #expect(newcomer.answers == [.leased])
        #expect(waiting.map(\.availableCount) == [1, 0, 0], "those behind it do not try in vain")
        #expect(test.pool.waitingCount == 3)
        peer.send(Self.answer)
        test.turn()
        #expect(waiting[0].answers == [.waits, .waits, .leased])
        for count in 1...2 {
            peer.send(Self.answer)
            test.turn()
            #expect(served == Array([1, 2].prefix(count)))
        }
        #expect(test.pool.waitingCount == 0)
    }

    @Test func `a request whose connection could not be made waits where it stood`() throws {
        let endpoint = try ScriptedEndpoint(isTCP: true)
        let test = try PoolInHand(endpoint) { $0.connectionsMax = 1 }
        let requests = (0..<3).map { _ in test.request() }
        #expect(requests.map { $0.lease() } == [.leased, .waits, .waits])
        let rival = test.request()
        requests[1].onFailed = { _ in
            rival.lease()
            requests[1].lease()
        }
        endpoint.close()
        test.turn(until: "both have failed") { requests[1].faults.count == 1 }
        #expect(requests[1].answers.last == .waits)
        test.turn(until: "it has had its turn again") { requests[1].availableCount == 2 }
        #expect(requests[2].availableCount == 0)
    }

    @Test func `a connection that ends makes room for a new one`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) { $0.connectionsMax = 1 }
        let first = test.request()
        first.begin()
        let peer = try endpoint.accept()
        test.turn()
        let second = test.request()
        #expect(second.lease() == .waits)
        test.turn(4)
        #expect(second.availableCount == 0)
        peer.close()
        test.turn(3)
        #expect(first.isOver)
        #expect(second.answers == [.waits, .leased])
        #expect(second.connection !== first.connection)
        #expect(test[0].connectionCount == 1)
    }

    @Test(arguments: [0, 1, 3])
    func `beyond the bound nobody waits`(bound: Int) throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) {
            $0.connectionsMax = 1
            $0.waitingMax = bound
        }
        #expect(test.request().lease() == .leased)
        for _ in 0..<bound { #expect(test.request().lease() == .waits) }
        #expect(test.request().lease() == .full)
        #expect(test.pool.waitingCount == bound)
    }

    @Test func `who stops waiting is not served, and nobody else is skipped`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) { $0.connectionsMax = 1 }
        let first = test.request()
        first.begin()
        let peer = try endpoint.accept()
        test.turn()
        let waiting = (0..<3).map { _ in test.request() }
        for request in waiting { #expect(request.lease() == .waits) }
        test.pool.stopWaiting(waiting[0].taker)
        test.pool.stopWaiting(waiting[0].taker)
        peer.send(Self.answer)
        test.turn()
        #expect(waiting.map(\.availableCount) == [0, 1, 0])
        waiting[1].connection?.cancel()
        test.pool.stopWaiting(waiting[2].taker)
        test.turn(3)
        #expect(waiting.map(\.availableCount) == [0, 1, 0])
        #expect(test[0].connectionCount == 0)
        #expect(test.pool.waitingCount == 0)
    }

    @Test func `who is full at one endpoint goes to another`() throws {
        let endpoints = [try ScriptedEndpoint(weight: 10), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1]) { $0.connectionsMax = 2 }
        let requests = (0..<5).map { _ in test.request() }
        #expect(requests.map { $0.lease() } == [.leased, .leased, .leased, .leased, .waits])
        #expect(test.upstream.endpoints.map(\.connectionCount) == [2, 2])
    }

    @Test func `an endpoint that cannot be reached does not keep the loop from resting`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1]) { $0.connectionsMax = 1 }
        endpoints[1].close()
        let first = test.request()
        first.begin()
        let peer = try endpoints[0].accept()
        test.turn()
        let second = test.request()
        #expect(second.lease() == .waits)
        test.turn(50)
        let failures = try #require(test.failures("connect", at: 1))
        #expect(failures <= 2, "it was tried again and again")
        #expect(second.availableCount <= 1)
        peer.send(Self.answer)
        test.turn()
        #expect(second.connection === first.connection)
    }

    // MARK: Loops among each other

    /// Two loops with pools of one upstream.
    private func pair(_ endpoint: ScriptedEndpoint, connectionsMax: Int) throws -> (PoolInHand, PoolInHand) {
        var policy = UpstreamPolicy()
        policy.connectionsMax = connectionsMax
        let upstream = Upstream(name: "test", endpoints: [endpoint.url], policy: policy)
        return (try PoolInHand(upstream), try PoolInHand(upstream, index: 1))
    }

    @Test func `a place that one loop frees goes to who waits on the other`() throws {
        let endpoint = try ScriptedEndpoint()
        let (one, two) = try pair(endpoint, connectionsMax: 1)
        let first = one.request()
        first.begin()
        let peer = try endpoint.accept()
        one.turn()
        let second = two.request()
        #expect(second.lease() == .waits)
        two.turn(3)
        #expect(second.availableCount == 0)
        peer.send(Self.answer)
        one.turn(3)
        #expect(first.endedCount == 1)
        #expect(one[0].connectionCount == 0, "it is not kept while others wait")
        two.turn(2)
        #expect(second.answers == [.waits, .leased])
        #expect(one[0].connectionCount == 1)
    }

    @Test func `an unused connection of another loop is given up for who waits`() throws {
        let endpoint = try ScriptedEndpoint()
        let (one, two) = try pair(endpoint, connectionsMax: 2)
        let requests = (0..<2).map { _ in one.request() }
        for request in requests { request.begin() }
        let peers = try requests.map { _ in try endpoint.accept() }
        one.turn()
        for peer in peers {
            peer.send(Self.answer)
            one.turn()
        }
        #expect(one[0].connectionCount == 2)
        let second = two.request()
        #expect(second.lease() == .waits)
        one.turn(3)
        two.turn(3)
        #expect(second.answers == [.waits, .leased])
        #expect(one[0].connectionCount == 2)
        #expect(peers[0].receivesEnd(), "the oldest goes")
        #expect(!peers[1].receive().isEnd)
    }

    @Test func `each loop's own come first, and in order`() throws {
        let endpoint = try ScriptedEndpoint()
        let (one, two) = try pair(endpoint, connectionsMax: 1)
        let first = one.request()
        first.begin()
        let peer = try endpoint.accept()
        one.turn()
        var served: [String] = []
        func wait(_ test: PoolInHand, _ name: String) -> TestRequest {
            let request = test.request()
            request.onAvailable = { [unowned request] in
                if request.lease() == .leased {
                    served.append(name)
                    request.send()
                }
            }
            #expect(request.lease() == .waits)
            return request
        }
        let waiting = [wait(one, "one a"), wait(two, "two a"), wait(one, "one b"), wait(two, "two b")]
        // All of the first loop's are served over the connection that it has, then it lets go.
        for _ in 0..<3 {
            peer.send(Self.answer)
            one.turn(3)
            two.turn(3)
        }
        #expect(served == ["one a", "one b", "two a"])
        let other = try endpoint.accept()
        two.turn()
        other.send(Self.answer)
        two.turn(3)
        #expect(served == ["one a", "one b", "two a", "two b"])
        #expect(waiting.prefix(2).allSatisfy { $0.endedCount == 1 })
    }

    @Test func `a loop that ended holds nobody up`() throws {
        let endpoint = try ScriptedEndpoint()
        let (one, two) = try pair(endpoint, connectionsMax: 1)
        let first = one.request()
        first.begin()
        let peer = try endpoint.accept()
        one.turn()
        #expect(two.request().lease() == .waits)
        // What the other asked of it meanwhile: to give up what is unused.
        one.turn()
        two.end()
        peer.send(Self.answer)
        one.turn(3)
        #expect(first.endedCount == 1)
        #expect(one[0].connectionCount == 1, "nobody waits for its place")
    }
}

extension String {
    /// How many requests this is.
    fileprivate var components: Int { split(separator: "GET /").count }
}
