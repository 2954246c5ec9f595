// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirHTTP
import WeirTestSupport
import WeirUpstream

/// Bytes that were on a connection before the request, told in the turn in which that was sent.
@Suite struct UnaskedResponseTests {
    private static let answer = "HTTP/1.1 204 No Content\r\n\r\n"
    private static let stray = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"

    /// Two endpoints: the first has a request, the second an unused connection.
    private func prepare() throws -> (PoolInHand, busy: TestRequest, busyPeer: ScriptedPeer, unusedPeer: ScriptedPeer) {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1])
        let requests = [test.request(), test.request()]
        for request in requests { request.begin() }
        let peers = try endpoints.map { try $0.accept() }
        test.turn()
        peers[1].send(Self.answer)
        test.turn()
        #expect(requests[1].endedCount == 1)
        return (test, requests[0], peers[0], peers[1])
    }

    @Test(arguments: [stray, "\r\n", "junk"])
    func `what has come in the same turn before the request is no answer to it`(bytes: String) throws {
        let (test, busy, busyPeer, unusedPeer) = try prepare()
        let next = test.request()
        // The first endpoint's event comes before the second's, in one turn.
        busy.onEnded = { _ in next.begin() }
        busyPeer.send(Self.answer)
        unusedPeer.send(bytes)
        test.turn()
        #expect(busy.endedCount == 1)
        #expect(next.answers == [.leased])
        #expect(next.connection?.endpoint === test[1])
        #expect(next.statuses.isEmpty && next.body.isEmpty)
        #expect(next.faults == [.malformed(.unasked)])
        #expect(next.connection?.isReused == true && next.connection?.hasReceived == false, "it may be asked again")
        #expect(unusedPeer.receivesEnd())
        #expect(test.failures("malformed", at: 1) == 1)
        #expect(test[1].connectionCount == 0)
    }

    @Test func `an answer in the next turn is one`() throws {
        let (test, busy, busyPeer, unusedPeer) = try prepare()
        let next = test.request()
        busy.onEnded = { _ in
            next.begin()
            unusedPeer.send(Self.stray)
        }
        busyPeer.send(Self.answer)
        test.turn()
        #expect(next.connection?.endpoint === test[1])
        #expect(next.text == "stray")
        #expect(next.faults.isEmpty)
    }

    @Test func `who speaks before it is asked for the first time is not listened to`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let request = test.request()
        request.begin()
        let peer = try endpoint.accept()
        peer.send(Self.stray)
        test.turn()
        #expect(request.connectedCount == 1)
        #expect(request.statuses.isEmpty)
        #expect(request.faults == [.malformed(.unasked)])
        #expect(request.connection?.isReused == false, "it is not asked again")
    }

    @Test func `who answers and breaks the body off in the turn in which it was asked is listened to`() throws {
        let endpoint = try ScriptedEndpoint(isTCP: true)
        let test = try PoolInHand(endpoint)
        let request = test.request(.post)
        #expect(request.lease() == .leased)
        request.onConnected = { [unowned request] connection in
            request.write(Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n".utf8))
            guard let peer = endpoint.acceptPresent() else { return }
            peer.send(Self.stray)
            // With the head unread, which resets the connection.
            peer.close()
            eventually("the endpoint takes no more") {
                request.write(Array(repeating: 0, count: 1000))
                return connection.channel.hasFailed
            }
        }
        test.turn(until: "it is over") { request.isOver }
        #expect(request.connectedCount == 1)
        #expect(request.statuses == [200])
        #expect(request.text == "stray")
        #expect(request.faults.isEmpty)
    }

    @Test(arguments: [-1, 0, 1])
    func `a response that fills the receive buffer to its end leaves the connection usable`(more: Int) throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let request = test.request()
        request.begin()
        let peer = try endpoint.accept()
        test.turn()
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 65000\r\nX-Filler: "
        let filler = String(repeating: "x", count: EventLoop.receiveBufferCount + more - 65000 - head.utf8.count - 4)
        peer.send(head + filler + "\r\n\r\n" + String(repeating: "b", count: 65000))
        test.turn()
        #expect(request.body.count == 65000)
        let second = test.request()
        second.begin()
        #expect(second.connection === request.connection)
        peer.send(Self.answer)
        test.turn()
        #expect(second.endedCount == 1)
    }
}
