// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

/// A provider, and a Consul that says what the test wants.
@Suite struct ConsulProviderTests {
    private let test: DiscoveryInHand
    private let consul: ScriptedEndpoint

    init() throws {
        test = try DiscoveryInHand(.consul)
        consul = try ScriptedEndpoint()
    }

    private func start(
        _ server: EndpointURL? = nil,
        token: String? = nil,
        lookup: @escaping AddressLookup = { _, _, _ in }
    ) throws {
        let query = try ConsulQuery(server: server ?? consul.url, service: "orders", token: token)
        test.start(ConsulProvider(query, feed: test.feed, on: test.loop, lookup: lookup))
    }

    /// Takes the connection that is on its way.
    private func accept(sourceLocation: SourceLocation = #_sourceLocation) throws -> ScriptedPeer {
        var peer: ScriptedPeer?
        test.turn(until: "Consul is connected to", sourceLocation: sourceLocation) {
            peer = consul.acceptPresent()
            return peer != nil
        }
        return try #require(peer)
    }

    /// The next query, whole.
    private func query(_ peer: ScriptedPeer, sourceLocation: SourceLocation = #_sourceLocation) -> String {
        var text = ""
        test.turn(until: "a query comes", sourceLocation: sourceLocation) {
            text += peer.receive().text
            return text.hasSuffix("\r\n\r\n")
        }
        return text
    }

    private func answer(_ peer: ScriptedPeer, index: String, _ hosts: String...) {
        let instances = hosts.map { "{\"Node\":{\"Address\":\"\($0)\"},\"Service\":{\"Port\":80,\"ID\":\"\($0)\"}}" }
        let body = "[\(instances.joined(separator: ","))]"
        peer.send("HTTP/1.1 200 OK\r\nX-Consul-Index: \(index)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    @Test func `a change is known at once, over one connection that says what is known`() throws {
        try start(token: "secret")
        let peer = try accept()
        let first = query(peer)
        #expect(first.contains("GET /v1/health/service/orders?wait=60s HTTP/1.1\r\n"))
        #expect(first.contains("\r\nX-Consul-Token: secret\r\n"))
        answer(peer, index: "7", "10.0.0.1")
        test.turn(until: "the instance is known") { test.listed == ["http://10.0.0.1"] }
        test.advance(by: ConsulProvider.intervalMin)
        #expect(query(peer).contains("&index=7 "))
        // Held back for as long as the server may.
        test.advance(by: 62_000_000_000)
        answer(peer, index: "8", "10.0.0.1", "10.0.0.2")
        test.turn(until: "the change is known") { test.listed.count == 2 }
        // The next query goes out at once: the last one was long enough ago.
        test.turn(3)
        test.advance(by: 2_000_000)
        #expect(query(peer).contains("&index=8 "))
    }

    @Test func `an index that goes backwards begins again`() throws {
        try start()
        let peer = try accept()
        for (index, next) in [("9", "index=9 "), ("3", "wait=60s "), ("3", "index=3 ")] {
            _ = query(peer)
            answer(peer, index: index, "10.0.0.1")
            let updates = test.feed.counts[.changed] + test.feed.counts[.unchanged]
            test.turn(until: "the answer is read") {
                test.feed.counts[.changed] + test.feed.counts[.unchanged] > updates
            }
            test.advance(by: ConsulProvider.intervalMin)
            let text = query(peer)
            #expect(text.contains(next))
            answer(peer, index: index, "10.0.0.1")
            let read = updates + 1
            test.turn(until: "the answer is read") { test.feed.counts[.changed] + test.feed.counts[.unchanged] > read }
            test.advance(by: ConsulProvider.intervalMin)
        }
    }

    @Test func `a server that answers at once is asked no more than once a second`() throws {
        try start()
        let peer = try accept()
        _ = query(peer)
        answer(peer, index: "1", "10.0.0.1")
        test.turn(until: "the instance is known") { !test.listed.isEmpty }
        test.advance(by: ConsulProvider.intervalMin - 2_000_000)
        test.turn(5)
        #expect(peer.receive().text.isEmpty)
        test.advance(by: 2_000_000)
        #expect(query(peer).contains("index=1 "))
    }

    @Test func `a body may come in chunks, or end with its connection`() throws {
        try start()
        var peer = try accept()
        _ = query(peer)
        peer.send("HTTP/1.1 200 OK\r\nX-Consul-Index: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[{\r\n")
        test.turn(3)
        peer.send("3E\r\n\"Node\":{\"Address\":\"10.0.0.1\"},\"Service\":{\"Port\":80,\"ID\":\"a\"}}]\r\n0\r\n\r\n")
        test.turn(until: "the instance is known") { test.listed == ["http://10.0.0.1"] }
        test.advance(by: ConsulProvider.intervalMin)
        _ = query(peer)
        peer.send("HTTP/1.1 200 OK\r\n\r\n[{\"Node\":{\"Address\":\"10.0.0.2\"},\"Service\":{\"Port\":80}}]")
        peer.close()
        test.turn(until: "the instance is known") { test.listed == ["http://10.0.0.2"] }
        test.advance(by: ConsulProvider.intervalMin)
        peer = try accept()
        #expect(query(peer).contains("wait=60s "))
        #expect(test.failure == nil)
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nX-Consul-Index: 6\r\nContent-Length: 64\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nx-consul-index: 6\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n",
    ])
    func `an answer may come byte by byte`(_ head: String) throws {
        try start()
        let peer = try accept()
        _ = query(peer)
        let body = #"[{"Node":{"Address":"10.0.0.1"},"Service":{"Port":80,"ID":"a"}}]"#
        let end = head.contains("chunked") ? "\r\n0\r\n\r\n" : ""
        for byte in Array("\(head)\(body)\(end)".utf8) {
            peer.send([byte])
            test.turn()
        }
        test.turn(until: "the instance is known") { test.listed == ["http://10.0.0.1"] }
        test.advance(by: ConsulProvider.intervalMin)
        #expect(query(peer).contains("index=6 "))
    }

    @Test func `a connection that ends while it is idle is no failure`() throws {
        try start()
        var peer = try accept()
        _ = query(peer)
        answer(peer, index: "1", "10.0.0.1")
        test.turn(until: "the instance is known") { !test.listed.isEmpty }
        // The end and the next query cross each other.
        test.clock.advance(by: ConsulProvider.intervalMin)
        peer.close()
        test.turn(3)
        peer = try accept()
        #expect(query(peer).contains("index=1 "))
        // And an end without a byte of an answer, on a connection that was good before.
        answer(peer, index: "2", "10.0.0.1")
        test.turn(until: "the answer is read") { test.feed.counts[.unchanged] == 1 }
        test.advance(by: ConsulProvider.intervalMin)
        _ = query(peer)
        peer.close()
        peer = try accept()
        #expect(query(peer).contains("index=2 "))
        #expect(test.feed.counts[.failed] == 0)
    }

    @Test(arguments: [
        (
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 17\r\n\r\nPermission\ndenied",
            "refuses the token, which needs service:read and node:read: Permission denied"
        ),
        ("HTTP/1.1 500 No\r\nContent-Length: 17\r\n\r\nNo cluster leader", "answered 500: No cluster leader"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "answered with what is no list of a service's instances"),
        ("SSH-2.0-OpenSSH\r\n", ": its answer is no HTTP"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 4194305\r\n\r\n", ": its answer is larger than 4194304 bytes"),
        ("HTTP/1.1 101 Upgrade\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", ": its answer is no HTTP"),
    ])
    func `what is no list is a failure, which keeps the last one`(_ text: String, _ problem: String) throws {
        try start(token: "secret")
        var peer = try accept()
        _ = query(peer)
        answer(peer, index: "5", "10.0.0.1")
        test.turn(until: "the instance is known") { !test.listed.isEmpty }
        test.advance(by: ConsulProvider.intervalMin)
        _ = query(peer)
        peer.send(text)
        test.turn(until: "the failure is reported") { test.failure != nil }
        #expect(test.failure?.hasSuffix("\(problem); 1 are kept") == true)
        #expect(test.failure?.contains("secret") == false)
        #expect(test.listed == ["http://10.0.0.1"])
        // Asked for all again, by the same connection if it is as good as before.
        test.advance(by: ConsulProvider.firstRetry)
        if let next = consul.acceptPresent() { peer = next }
        #expect(query(peer).contains("wait=60s "))
    }

    @Test func `a server that is silent, hangs up or is away is tried again`() throws {
        try start()
        var peer = try accept()
        _ = query(peer)
        test.advance(by: ConsulQuery.answerTimeout)
        #expect(test.failure?.contains(": it does not answer in time; none is known yet") == true)
        test.advance(by: ConsulProvider.firstRetry)
        peer = try accept()
        _ = query(peer)
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[")
        peer.close()
        test.turn(until: "the end is seen") { test.failure?.contains(": the connection was lost") == true }
        consul.close()
        test.advance(by: 2 * ConsulProvider.firstRetry)
        test.turn(until: "nobody is there") { test.failure?.contains(": no connection can be made") == true }
        #expect(test.feed.counts[.failed] == 3)
    }

    @Test func `a server that is a name is looked up, once for a connection`() throws {
        let server = try EndpointURL(parsing: "http://consul.test:8500")
        guard case .address(let address) = consul.url.place else { return }
        var asked: [String] = []
        var found: [SocketAddress] = []
        try start(server) { name, port, answer in
            asked.append("\(name):\(port)")
            answer(found)
        }
        #expect(test.failure?.contains("http://consul.test:8500: the name has no address now") == true)
        found = [address]
        test.advance(by: ConsulProvider.firstRetry)
        let peer = try accept()
        #expect(query(peer).contains("\r\nHost: consul.test:8500\r\n"))
        answer(peer, index: "1", "10.0.0.1")
        test.turn(until: "the instance is known") { !test.listed.isEmpty }
        test.advance(by: ConsulProvider.intervalMin)
        _ = query(peer)
        #expect(asked == ["consul.test:8500", "consul.test:8500"])
    }

    @Test func `nothing is found behind the end`() throws {
        let query = try ConsulQuery(server: consul.url, service: "orders")
        let provider = ConsulProvider(query, feed: test.feed, on: test.loop) { _, _, _ in }
        test.start(provider)
        let peer = try accept()
        _ = self.query(peer)
        provider.stop()
        answer(peer, index: "1", "10.0.0.1")
        test.turn(5)
        test.advance(by: 60_000_000_000)
        #expect(test.news.isEmpty)
        #expect(peer.receivesEnd())
    }
}
