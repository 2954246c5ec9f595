// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirHTTP
import WeirTestSupport
import WeirUpstream

@Suite("Responses that are thrown away") struct ResponseDiscardTests {
    private static let tooMany = UpstreamConnection.discardBytesMax + 1

    /// A request that throws away what answers it, and the endpoint's end of its connection.
    private func begin(_ test: PoolInHand, _ endpoint: ScriptedEndpoint) throws -> (TestRequest, ScriptedPeer) {
        let request = test.request()
        request.onHead = { $0.discard() }
        request.begin()
        let peer = try endpoint.accept()
        test.turn()
        _ = peer.receive()
        return (request, peer)
    }

    private func chunked(_ count: Int) -> String {
        "\(String(count, radix: 16))\r\n\(String(repeating: "x", count: count))\r\n0\r\n\r\n"
    }

    @Test(
        "One that is short is read to its end, in however many pieces, and its connection serves the next request",
        arguments: [
            "Content-Length: 0\r\n\r\n", "Content-Length: 4\r\n\r\nlast",
            "Transfer-Encoding: chunked\r\n\r\n4\r\nlast\r\n0\r\n\r\n",
        ]
    )
    func keeps(rest: String) throws {
        let response = Array("HTTP/1.1 503 No\r\n\(rest)".utf8)
        for size in [1, 7, response.count] {
            let endpoint = try ScriptedEndpoint()
            let test = try PoolInHand(endpoint)
            let (request, peer) = try begin(test, endpoint)
            for start in stride(from: 0, to: response.count, by: size) {
                peer.send(String(decoding: response[start..<min(start + size, response.count)], as: UTF8.self))
                test.turn()
            }
            #expect(request.statuses == [503])
            #expect(!request.isOver && request.body.isEmpty, "it is told no more")
            let next = test.request()
            next.begin()
            #expect(next.connection === request.connection)
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            test.turn()
            #expect(next.text == "ok" && next.endedCount == 1)
        }
    }

    @Test(
        "One that is long, or has no end but its connection's, ends the connection",
        arguments: [
            "Content-Length: \(tooMany)\r\n\r\n", "Connection: close\r\nContent-Length: 2\r\n\r\nno", "\r\nno",
        ]
    )
    func closes(rest: String) throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let (request, peer) = try begin(test, endpoint)
        peer.send("HTTP/1.1 503 No\r\n\(rest)")
        test.turn()
        #expect(!request.isOver)
        #expect(peer.receivesEnd())
        #expect(test[0].connectionCount == 0)
        #expect(test[0].failureCounts.allSatisfy { $0.count == 0 })
    }

    @Test("Of one whose length is not known so much is read and no more", arguments: [0, 1])
    func bounds(beyond: Int) throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let (request, peer) = try begin(test, endpoint)
        peer.send("HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n")
        test.turn()
        peer.send(chunked(UpstreamConnection.discardBytesMax + beyond))
        if beyond > 0 {
            test.turn(until: "the connection is closed") { test[0].connectionCount == 0 }
        } else {
            let next = test.request()
            test.turn(until: "all of it has come") {
                next.lease() == .leased && next.connection === request.connection
            }
        }
        #expect(!request.isOver)
    }

    @Test("One that does not end in time ends its connection, which is nobody's failure")
    func timeout() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let (request, peer) = try begin(test, endpoint)
        peer.send("HTTP/1.1 503 No\r\nContent-Length: 100\r\n\r\n")
        test.turn()
        test.advance(by: .milliseconds(500))
        // That something comes does not put it off.
        peer.send("x")
        test.turn()
        test.advance(by: .milliseconds(499))
        #expect(test[0].connectionCount == 1)
        test.advance(by: .milliseconds(1))
        #expect(test[0].connectionCount == 0)
        #expect(peer.receivesEnd())
        #expect(!request.isOver)
        #expect(test[0].failureCounts.allSatisfy { $0.count == 0 })
    }

    @Test("One that answers before the request is over ends the connection: the rest would be taken for the next")
    func unfinishedRequest() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let request = test.request(.put)
        request.onHead = { $0.discard() }
        #expect(request.lease() == .leased)
        let peer = try endpoint.accept()
        test.turn()
        request.write(Array("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n".utf8))
        test.turn()
        peer.send("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        test.turn()
        #expect(test[0].connectionCount == 0)
    }

    @Test("Its taker can lease another connection at once, and is told of that one only")
    func anotherAttempt() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1])
        let request = test.request()
        request.onHead = { [unowned request] connection in
            guard connection.parser.pointee.head.status == 503 else { return }
            connection.discard()
            request.lease(after: connection.endpoint.slot)
            request.send()
        }
        request.begin()
        let first = try #require(request.connection)
        let peer = try endpoints[first.endpoint.slot].accept()
        test.turn()
        peer.send("HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\n")
        test.turn()
        let other = try endpoints[1 - first.endpoint.slot].accept()
        test.turn()
        peer.send("no")
        other.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        test.turn()
        #expect(request.statuses == [503, 200] && request.text == "ok" && request.endedCount == 1)
        #expect(test[0].connectionCount == 1 && test[1].connectionCount == 1, "both are kept")
    }
}
