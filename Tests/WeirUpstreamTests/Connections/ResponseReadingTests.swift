// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirHTTP
import WeirTestSupport
import WeirUpstream

@Suite struct ResponseReadingTests {
    @Test(arguments: ResponseCase.all)
    func `a response is read alike wherever it is split`(response: ResponseCase) throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let wire = Array(response.wire.utf8)
        for split in 0...wire.count {
            try check(response, [Array(wire[..<split]), Array(wire[split...])], test, endpoint, "split at \(split)")
        }
        try check(response, wire.map { [$0] }, test, endpoint, "byte by byte")
        if response.keeps { #expect(test[0].openedCount == 1, "one connection has served all") }
    }

    private func check(
        _ response: ResponseCase,
        _ pieces: [[UInt8]],
        _ test: PoolInHand,
        _ endpoint: ScriptedEndpoint,
        _ what: Comment
    ) throws {
        let request = test.request(response.method)
        request.begin()
        let peer = try response.keeps ? keptPeer(endpoint) : endpoint.accept()
        test.turn()
        _ = peer.receive()
        for piece in pieces {
            peer.send(piece)
            test.turn()
        }
        if response.closes {
            #expect(request.endedCount == 0, what)
            peer.close()
            test.turn()
        }
        #expect(request.faults.isEmpty, what)
        #expect(request.endedCount == 1, what)
        #expect(request.interim == response.interim, what)
        #expect(request.statuses == [response.status], what)
        #expect(request.text == response.body, what)
        #expect(request.trailers == response.trailers, what)
        #expect(request.settledCount > 0, what)
        #expect(test[0].requestsExecuting == 0, what)
        #expect(test[0].connectionCount == (response.keeps ? 1 : 0), what)
        if !response.keeps, !response.closes { #expect(peer.receivesEnd(), what) }
    }

    /// The one connection that serves them all.
    private func keptPeer(_ endpoint: ScriptedEndpoint) throws -> ScriptedPeer {
        if let peer = endpoint.kept { return peer }
        let peer = try endpoint.accept()
        endpoint.kept = peer
        return peer
    }

    @Test(arguments: ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])
    func `a response that is whole before its request ends the connection`(wire: String) throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let request = test.request(.post)
        #expect(request.lease() == .leased)
        request.write(Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf".utf8))
        let peer = try endpoint.accept()
        test.turn()
        peer.send(wire)
        test.turn()
        #expect(request.endedCount == 1)
        #expect(test[0].connectionCount == 0)
    }

    // MARK: Tunnels

    @Test func `101 makes a tunnel: what follows is nobody's message`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let request = test.request()
        request.begin()
        let peer = try endpoint.accept()
        test.turn()
        peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\nHTTP/1.1 ")
        test.turn()
        #expect(request.statuses == [101])
        #expect(request.interim.isEmpty)
        peer.send("200 OK\r\n\r\n")
        test.turn()
        #expect(request.text == "HTTP/1.1 200 OK\r\n\r\n")
        // However long it is silent.
        test.advance(by: .seconds(3600))
        #expect(!request.isOver)
        peer.endSending()
        test.turn()
        #expect(request.halfClosedCount == 1)
        #expect(!request.isOver)
        request.write(Array("last".utf8))
        request.connection?.finish(writeTimeout: 1_000_000_000)
        test.turn()
        let (text, isEnd) = peer.receive()
        #expect(text.hasSuffix("last"))
        #expect(isEnd)
        peer.close()
        test.turn()
        #expect(test[0].connectionCount == 0)
        #expect(test[0].requestsExecuting == 0)
        #expect(!request.isOver, "who gave it up is told nothing more")
    }

    // MARK: Faults

    @Test(arguments: [
        ("nothing", ""),
        ("half a status line", "HTTP/1.1 20"),
        ("half a head", "HTTP/1.1 200 OK\r\nContent-Le"),
        ("an interim response alone", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("a head alone", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("half a body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"),
        ("half a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe"),
        ("a chunk without the last one", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n"),
        ("half the trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n"),
    ])
    func `an end before the response's end is a fault`(name: String, wire: String) throws {
        for isHalfClosed in [false, true] {
            let endpoint = try ScriptedEndpoint()
            let test = try PoolInHand(endpoint)
            let request = test.request()
            request.begin()
            let peer = try endpoint.accept()
            test.turn()
            #expect(peer.receive().text.hasPrefix("GET /"))
            peer.send(wire)
            if isHalfClosed { peer.endSending() } else { peer.close() }
            test.turn()
            #expect(request.faults == [.closed])
            #expect(request.endedCount == 0)
            #expect(request.connection?.hasReceived == !wire.isEmpty)
            #expect(request.connection?.isReused == false)
            #expect(test.failures("closed") == 1)
            #expect(test[0].connectionCount == 0)
            #expect(test[0].requestsExecuting == 0)
        }
    }

    @Test(arguments: ["", "HTTP/1.1 200 OK\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"])
    func `a reset is a fault in every state`(wire: String) throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let request = test.request()
        request.begin()
        let peer = try endpoint.accept()
        test.turn()
        if !wire.isEmpty {
            peer.send(wire)
            test.turn()
        }
        // The request was not read: closing now is a reset.
        peer.close()
        test.turn()
        #expect(request.faults == [.reset])
        #expect(request.endedCount == 0)
        #expect(test.failures("reset") == 1)
        #expect(test[0].connectionCount == 0)
    }

    @Test(arguments: [
        "SMTP ready\r\n\r\n",
        "HTTP/1.1 99 Low\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokk\r\n0\r\n\r\n",
    ])
    func `what could be read in two ways is malformed, and ends the connection`(wire: String) throws {
        let bytes = Array(wire.utf8)
        for split in 0..<bytes.count {
            let endpoint = try ScriptedEndpoint()
            let test = try PoolInHand(endpoint)
            let request = test.request()
            request.begin()
            let peer = try endpoint.accept()
            test.turn()
            _ = peer.receive()
            peer.send(bytes[..<split])
            test.turn()
            if !request.isOver { peer.send(bytes[split...]) }
            test.turn()
            try #require(request.faults.count == 1, "split at \(split)")
            guard case .malformed = request.faults[0] else {
                Issue.record("\(request.faults) at split \(split)")
                continue
            }
            #expect(request.endedCount == 0)
            #expect(test.failures("malformed") == 1)
            #expect(test[0].connectionCount == 0)
            #expect(peer.receivesEnd())
        }
    }

    @Test func `a head beyond the limits is malformed`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let request = test.request()
        request.begin()
        let peer = try endpoint.accept()
        test.turn()
        peer.send("HTTP/1.1 200 OK\r\n")
        for _ in 0..<100 where !request.isOver {
            peer.send("X: " + String(repeating: "a", count: 4000) + "\r\n")
            test.turn()
        }
        #expect(request.faults.count == 1)
        #expect(test.failures("malformed") == 1)
    }

    // MARK: Pausing

    @Test func `while it is paused nothing comes, and no time runs out`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let request = test.request()
        request.onBody = { $0.pause() }
        request.begin()
        let peer = try endpoint.accept()
        test.turn()
        peer.send(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\n"
        )
        for expected in ["a", "ab", "abc"] {
            test.turn()
            #expect(request.text == expected)
            test.advance(by: .seconds(600))
            #expect(request.text == expected)
            #expect(!request.isOver)
            request.connection?.resume()
        }
        test.turn()
        #expect(request.endedCount == 1)
        #expect(request.trailers == ["T=1"])
        #expect(test[0].connectionCount == 1)
    }

    @Test(arguments: [
        ("Content-Length: 2\r\n\r\nok", true), ("Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true),
        ("\r\nok", false),
    ])
    func `pausing at the head holds the body back`(rest: String, keeps: Bool) throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let request = test.request()
        request.onHead = { $0.pause() }
        request.begin()
        let peer = try endpoint.accept()
        test.turn()
        _ = peer.receive()
        peer.send("HTTP/1.1 200 OK\r\n" + rest)
        if !keeps { peer.close() }
        test.turn(4)
        #expect(request.statuses == [200])
        #expect(request.body.isEmpty)
        #expect(!request.isOver)
        request.connection?.resume()
        test.turn()
        #expect(request.text == "ok")
        #expect(request.endedCount == 1)
        #expect(test[0].connectionCount == (keeps ? 1 : 0))
    }

    @Test(arguments: ["Content-Length: 4\r\n\r\nlast", "Transfer-Encoding: chunked\r\n\r\n4\r\nlast\r\n0\r\n\r\n"])
    func `pausing at the last piece does not silence the next response`(rest: String) throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let first = test.request()
        first.onBody = { $0.pause() }
        first.begin()
        let peer = try endpoint.accept()
        test.turn()
        peer.send("HTTP/1.1 200 OK\r\n" + rest)
        test.turn()
        #expect(first.text == "last")
        if !first.isOver { first.connection?.resume() }
        test.turn()
        #expect(first.endedCount == 1)
        let second = test.request()
        second.begin()
        #expect(second.connection === first.connection)
        peer.send("HTTP/1.1 204 No Content\r\n\r\n")
        test.turn()
        #expect(second.statuses == [204])
        #expect(second.endedCount == 1)
    }

    @Test func `an unused connection is watched even if its last response was paused`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let request = test.request()
        request.onBody = { $0.pause() }
        request.begin()
        let peer = try endpoint.accept()
        test.turn()
        _ = peer.receive()
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast")
        test.turn()
        peer.close()
        test.turn()
        #expect(test[0].connectionCount == 0)
    }

    @Test(arguments: 1...30)
    func `in any rhythm of pieces, pauses and turns a response is what it is`(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let kept = ResponseCase.all.filter(\.keeps)
        var peer: ScriptedPeer?
        for _ in 0..<40 {
            let response = kept[random.below(kept.count)]
            let request = test.request(response.method)
            // Whether each call pauses is settled beforehand: the generator is not for closures.
            var pauses = (0..<64).map { _ in random.oneIn(2) }
            let pause: (UpstreamConnection) -> Void = { if pauses.popLast() == true { $0.pause() } }
            request.onHead = pause
            request.onBody = pause
            request.begin()
            let isNew = peer == nil
            let present = try peer ?? endpoint.accept()
            peer = present
            // What comes before the request is no answer.
            if isNew { test.turn() }
            var rest = Array(response.wire.utf8)[...]
            for _ in 0..<10_000 where !request.isOver || !rest.isEmpty {
                switch random.below(3) {
                case 0:
                    let count = min(rest.count, 1 + random.below(random.oneIn(4) ? 200 : 9))
                    present.send(rest.prefix(count))
                    rest = rest.dropFirst(count)
                case 1: test.turn(1)
                default: if !request.isOver { request.connection?.resume() }
                }
            }
            #expect(request.endedCount == 1, "\(response.name), seed \(seed)")
            #expect(request.interim == response.interim)
            #expect(request.statuses == [response.status])
            #expect(request.text == response.body)
            #expect(request.trailers == response.trailers)
        }
        #expect(test[0].openedCount == 1, "seed \(seed)")
        #expect(test[0].failureCounts.allSatisfy { $0.count == 0 })
    }

    // MARK: Giving up

    @Test(arguments: [
        ("an interim head", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true),
        ("the head", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true),
        ("a head that is everything", "HTTP/1.1 204 No Content\r\n\r\n", true),
        ("a head of chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true),
        ("the whole body", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false),
        ("a part of the body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", false),
        ("a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n2\r\nok\r\n0\r\n\r\n", false),
        ("a body until close", "HTTP/1.1 200 OK\r\n\r\nok", false),
    ])
    func `giving up inside of a call ends it there`(place: String, wire: String, atHead: Bool) throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let request = test.request()
        if atHead { request.onHead = { $0.cancel() } } else { request.onBody = { $0.cancel() } }
        request.begin()
        let peer = try endpoint.accept()
        test.turn()
        _ = peer.receive()
        peer.send(wire)
        test.turn(3)
        #expect(request.statuses.count + request.interim.count == 1)
        #expect(request.text == (atHead ? "" : "ok"))
        #expect(!request.isOver, "who gave it up is told nothing more")
        #expect(test[0].requestsExecuting == 0)
        #expect(test[0].connectionCount == 0)
        #expect(test[0].failureCounts.allSatisfy { $0.count == 0 })
        #expect(peer.receivesEnd())
    }

    @Test func `giving up twice is once, and after the end is nothing`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let request = test.request()
        request.begin()
        let peer = try endpoint.accept()
        test.turn()
        peer.send("HTTP/1.1 204 No Content\r\n\r\n")
        test.turn()
        #expect(request.endedCount == 1)
        request.connection?.cancel()
        test.turn()
        #expect(test[0].connectionCount == 1, "it is the pool's by now")
        let second = test.request()
        second.begin()
        second.connection?.cancel()
        second.connection?.cancel()
        test.turn()
        #expect(test[0].requestsExecuting == 0)
        #expect(test[0].connectionCount == 0)
    }
}
