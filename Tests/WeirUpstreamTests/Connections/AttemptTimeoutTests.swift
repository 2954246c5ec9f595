// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirHTTP
import WeirTestSupport
import WeirUpstream

@Suite("Timeouts of attempts") struct AttemptTimeoutTests {
    private static let second: Nanoseconds = 1_000_000_000

    /// A request that gives its endpoint three seconds, and the endpoint's end of its connection.
    private func begin(_ test: PoolInHand, _ endpoint: ScriptedEndpoint) throws -> (TestRequest, ScriptedPeer) {
        let request = test.request()
        #expect(request.lease() == .leased)
        request.write(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        request.connection?.endRequest(headTimeout: 3 * Self.second)
        let peer = try endpoint.accept()
        test.turn()
        return (request, peer)
    }

    @Test("Without a head in time the attempt has failed, and the endpoint is blamed for it")
    func fails() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let (request, peer) = try begin(test, endpoint)
        test.advance(by: .milliseconds(2999))
        #expect(!request.isOver)
        test.advance(by: .milliseconds(1))
        #expect(request.faults == [.attemptTimeout])
        #expect(test.failures("attempt_timeout") == 1)
        #expect(test[0].outcomes.counts.timeouts == 1)
        #expect(test[0].connectionCount == 0)
        _ = peer.receive()
        #expect(peer.receivesEnd())
    }

    @Test(
        "An interim response is no head, nor is a part of one",
        arguments: ["HTTP/1.1 103 Early\r\n\r\n", "HTTP/1.1 20"]
    )
    func interim(part: String) throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let (request, peer) = try begin(test, endpoint)
        test.advance(by: .seconds(2))
        peer.send(part)
        test.turn()
        test.advance(by: .seconds(1))
        #expect(request.faults == [.attemptTimeout])
    }

    @Test("Holding the endpoint back for a while does not put it off")
    func paused() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let (request, peer) = try begin(test, endpoint)
        request.connection?.pause()
        test.advance(by: .seconds(2))
        request.connection?.resume()
        test.advance(by: .milliseconds(999))
        #expect(!request.isOver)
        test.advance(by: .milliseconds(1))
        #expect(request.faults == [.attemptTimeout])
        withExtendedLifetime(peer) {}
    }

    @Test("Behind the head the body may take longer, and so may the next request")
    func isOverWithTheHead() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let (request, peer) = try begin(test, endpoint)
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        test.turn()
        test.advance(by: .seconds(10))
        peer.send("ok")
        test.turn()
        #expect(request.text == "ok" && request.endedCount == 1)
        let next = test.request()
        next.begin()
        #expect(next.connection === request.connection)
        test.advance(by: .seconds(600))
        #expect(!next.isOver)
    }

    @Test("As long as more of the request is to come the endpoint has its time", arguments: [false, true])
    func beginsWithTheWholeRequest(isSlow: Bool) throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let request = test.request(.post)
        #expect(request.lease() == .leased)
        let peer = try endpoint.accept()
        test.turn()
        request.write(Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n".utf8))
        if isSlow { test.advance(by: .seconds(60)) }
        request.write([0])
        request.connection?.endRequest(headTimeout: 3 * Self.second)
        test.advance(by: .milliseconds(2999))
        #expect(!request.isOver)
        test.advance(by: .milliseconds(1))
        #expect(request.faults == [.attemptTimeout])
        withExtendedLifetime(peer) {}
    }

    @Test("A connection that does not stand within it is one that was not made in time", arguments: [2, 5])
    func connecting(connectTimeout: UInt64) throws {
        let endpoint = try ScriptedEndpoint(isTCP: true, backlog: 0)
        let filler = try PoolInHand(endpoint)
        filler.request().begin()
        filler.turn(until: "the backlog is full") { filler[0].openedCount == 1 }
        let test = try PoolInHand(endpoint) { $0.connectTimeout = connectTimeout * Self.second }
        let request = test.request()
        #expect(request.lease() == .leased)
        request.connection?.endRequest(headTimeout: 3 * Self.second)
        let limit = min(connectTimeout, 3)
        test.advance(by: .milliseconds(limit * 1000 - 1))
        #expect(!request.isOver)
        test.advance(by: .milliseconds(1))
        #expect(request.faults == [.connectTimeout])
        withExtendedLifetime(filler) {}
    }
}
