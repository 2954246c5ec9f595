// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

/// A provider, and an API server that says what the test wants.
@Suite struct KubernetesProviderTests {
    private let test: DiscoveryInHand
    private let server: ScriptedEndpoint
    private let account: ScratchFolder

    init() throws {
        test = try DiscoveryInHand(.kubernetes)
        server = try ScriptedEndpoint()
        account = try ScratchFolder()
        _ = try account.write("token", Array("first".utf8))
    }

    private func start(
        _ url: EndpointURL? = nil,
        secure: EndpointSliceWatch.Securing? = nil,
        lookup: @escaping AddressLookup = { _, _, _ in }
    ) throws {
        let service = try #require(KubernetesService(parsing: "shop/orders:http"))
        let api = KubernetesAPI(url ?? server.url, account: account.path)
        test.start(
            KubernetesProvider(service, from: api, feed: test.feed, on: test.loop, lookup: lookup, secure: secure)
        )
    }

    /// Takes the connection that is on its way.
    private func accept(sourceLocation: SourceLocation = #_sourceLocation) throws -> ScriptedPeer {
        var peer: ScriptedPeer?
        test.turn(until: "the server is connected to", sourceLocation: sourceLocation) {
            peer = server.acceptPresent()
            return peer != nil
        }
        return try #require(peer)
    }

    /// The next request, whole.
    private func request(_ peer: ScriptedPeer, sourceLocation: SourceLocation = #_sourceLocation) -> String {
        var text = ""
        test.turn(until: "a request comes", sourceLocation: sourceLocation) {
            text += peer.receive().text
            return text.hasSuffix("\r\n\r\n")
        }
        return text
    }

    private func slice(_ name: String, _ hosts: [String], version: String = "1") -> String {
        let endpoints = hosts.map { "{\"addresses\":[\"\($0)\"]}" }.joined(separator: ",")
        return """
            {"metadata":{"name":"\(name)","resourceVersion":"\(version)"},"addressType":"IPv4",\
            "ports":[{"name":"http","port":80}],"endpoints":[\(endpoints)]}
            """
    }

    private func answer(_ peer: ScriptedPeer, _ body: String, status: String = "200 OK", fields: String = "") {
        peer.send("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)")
    }

    private func list(_ peer: ScriptedPeer, version: String, next: String = "", _ slices: String...) {
        let metadata = "{\"resourceVersion\":\"\(version)\",\"continue\":\"\(next)\"}"
        answer(peer, "{\"metadata\":\(metadata),\"items\":[\(slices.joined(separator: ","))]}")
    }

    private func open(_ peer: ScriptedPeer) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    }

    private func send(_ peer: ScriptedPeer, _ type: String, _ object: String) {
        let line = "{\"type\":\"\(type)\",\"object\":\(object)}\n"
        peer.send("\(String(line.utf8.count, radix: 16))\r\n\(line)\r\n")
    }

    /// Up to a watch that is open, of one endpoint at version 7.
    private func watch(sourceLocation: SourceLocation = #_sourceLocation) throws -> ScriptedPeer {
        try start()
        let peer = try accept(sourceLocation: sourceLocation)
        #expect(request(peer).contains("&limit=20 "), sourceLocation: sourceLocation)
        list(peer, version: "7", slice("a", ["10.0.0.1"]))
        #expect(request(peer).contains("&resourceVersion=7&"), sourceLocation: sourceLocation)
        open(peer)
        return peer
    }

    private func wait(for hosts: String..., sourceLocation: SourceLocation = #_sourceLocation) {
        test.turn(until: "the endpoints are \(hosts)", sourceLocation: sourceLocation) {
            test.clock.advance(by: EndpointSliceWatch.tellInterval)
            return test.listed == hosts.map { "http://\($0)" }
        }
    }

    // MARK: What becomes of a service

    @Test func `a service is listed, then watched from there, over one connection`() throws {
        let peer = try watch()
        wait(for: "10.0.0.1")
        send(peer, "ADDED", slice("b", ["10.0.0.2"], version: "8"))
        wait(for: "10.0.0.1", "10.0.0.2")
        send(peer, "MODIFIED", slice("a", [], version: "9"))
        wait(for: "10.0.0.2")
        send(peer, "DELETED", slice("a", [], version: "10"))
        send(peer, "BOOKMARK", #"{"metadata":{"resourceVersion":"70"}}"#)
        peer.send("0\r\n\r\n")
        test.turn(3)
        test.advance(by: EndpointSliceWatch.intervalMin)
        #expect(request(peer).contains("&watch=true&allowWatchBookmarks=true&resourceVersion=70&timeoutSeconds="))
        #expect(server.acceptPresent() == nil && test.failure == nil)
    }

    @Test func `a list may have pages`() throws {
        try start()
        let peer = try accept()
        _ = request(peer)
        list(peer, version: "7", next: "p2", slice("a", ["10.0.0.1"]))
        #expect(request(peer).contains("&limit=20&continue=p2 "))
        #expect(test.news.isEmpty)
        list(peer, version: "7", slice("b", ["10.0.0.2"]))
        #expect(request(peer).contains("&resourceVersion=7&"))
        #expect(test.listed == ["http://10.0.0.1", "http://10.0.0.2"])
    }

    @Test func `events may come byte by byte, and several at once are one change`() throws {
        let peer = try watch()
        let line = "{\"type\":\"ADDED\",\"object\":\(slice("b", ["10.0.0.2"], version: "8"))}\n"
        let chunk = "\(String(line.utf8.count, radix: 16))\r\n\(line)\r\n"
        for byte in Array(chunk.utf8) {
            peer.send([byte])
            test.turn()
        }
        wait(for: "10.0.0.1", "10.0.0.2")
        let changes = test.feed.counts[.changed]
        for number in 3...9 { send(peer, "ADDED", slice("s\(number)", ["10.0.0.\(number)"], version: "\(number + 6)")) }
        wait(
            for: "10.0.0.1",
            "10.0.0.2",
            "10.0.0.3",
            "10.0.0.4",
            "10.0.0.5",
            "10.0.0.6",
            "10.0.0.7",
            "10.0.0.8",
            "10.0.0.9"
        )
        #expect(test.feed.counts[.changed] == changes + 1)
    }

    // MARK: What goes wrong

    @Test(arguments: [true, false])
    func `a history that is gone is listed again, and that is no failure`(_ isStatus: Bool) throws {
        let peer = try watch()
        wait(for: "10.0.0.1")
        var next = peer
        if isStatus {
            peer.send("0\r\n\r\n")
            test.turn(3)
            test.advance(by: EndpointSliceWatch.intervalMin)
            _ = request(peer)
            answer(peer, #"{"kind":"Status","code":410}"#, status: "410 Gone")
        } else {
            send(peer, "ERROR", #"{"kind":"Status","code":410,"message":"too old resource version"}"#)
        }
        test.turn(5)
        test.advance(by: EndpointSliceWatch.firstRetry)
        next = try accept()
        #expect(request(next).contains("&limit=20 "))
        list(next, version: "90", slice("a", ["10.0.0.9"]))
        #expect(request(next).contains("&resourceVersion=90&"))
        #expect(test.listed == ["http://10.0.0.9"] && test.feed.counts[.failed] == 0)
    }

    @Test(arguments: [
        #"{"type":"ERROR","object":{"code":500,"message":"etcd is away"}}"#, #"{"type":"ADDED","object":{}}"#, "<html>",
        #"{"type":"MODIFIED","object":{"metadata":{"name":"a","resourceVersion":"8"},"endpoints":7}}"#,
    ])
    func `what cannot be understood takes nothing away, and is listed again`(_ line: String) throws {
        let peer = try watch()
        wait(for: "10.0.0.1")
        peer.send("\(String(line.utf8.count + 1, radix: 16))\r\n\(line)\n\r\n")
        test.turn(until: "the failure is reported") { test.failure?.hasSuffix("; 1 are kept") == true }
        #expect(test.listed == ["http://10.0.0.1"])
        test.advance(by: EndpointSliceWatch.firstRetry)
        let next = try accept()
        #expect(request(next).contains("&limit=20 "))
        list(next, version: "9", slice("a", ["10.0.0.1"]))
        _ = request(next)
        #expect(test.failure == nil)
    }

    @Test func `a watch that is cut goes on from where it was, without a word`() throws {
        let peer = try watch()
        send(peer, "ADDED", slice("b", ["10.0.0.2"], version: "8"))
        wait(for: "10.0.0.1", "10.0.0.2")
        peer.close()
        test.turn(3)
        test.advance(by: EndpointSliceWatch.intervalMin)
        #expect(request(try accept()).contains("&resourceVersion=8&"))
        #expect(test.feed.counts[.failed] == 0)
    }

    @Test func `a watch that is silent is ended, and goes on over another connection`() throws {
        let peer = try watch()
        wait(for: "10.0.0.1")
        test.advance(by: EndpointSliceWatch.silenceMax)
        test.advance(by: EndpointSliceWatch.intervalMin)
        let next = try accept()
        #expect(request(next).contains("&resourceVersion=7&"))
        #expect(peer.receivesEnd() && test.feed.counts[.failed] == 0)
    }

    @Test func `a bookmark is a sign of life`() throws {
        let peer = try watch()
        wait(for: "10.0.0.1")
        for _ in 0..<3 {
            test.advance(by: EndpointSliceWatch.silenceMax - 1_000_000_000)
            send(peer, "BOOKMARK", #"{"metadata":{"resourceVersion":"70"}}"#)
            test.turn(5)
        }
        #expect(!peer.receive().isEnd && server.acceptPresent() == nil)
    }

    @Test func `an event longer than an object may be is not kept`() throws {
        let peer = try watch()
        wait(for: "10.0.0.1")
        let piece = String(repeating: " ", count: 64 << 10)
        test.turn(until: "it is given up") {
            peer.send("10000\r\n\(piece)\r\n")
            return test.failure != nil
        }
        #expect(test.failure?.contains("larger than 2097152 bytes; 1 are kept") == true)
    }

    @Test func `a server that is away is tried again, and its return is told`() throws {
        let peer = try watch()
        wait(for: "10.0.0.1")
        peer.close()
        test.turn(3)
        test.advance(by: EndpointSliceWatch.intervalMin)
        var next = try accept()
        _ = request(next)
        answer(next, "no", status: "503 Unavailable", fields: "Retry-After: 20\r\n")
        test.turn(until: "the failure is reported") { test.failure?.contains("answered 503: no; 1 are kept") == true }
        // It is left alone for as long as it asked.
        test.advance(by: 19_000_000_000)
        test.turn(3)
        #expect(next.receive().text.isEmpty)
        test.advance(by: 2_000_000_000)
        #expect(request(next).contains("&resourceVersion=7&"))
        // A connection that was good before may have been about to end; the next one may not.
        next.close()
        next = try accept()
        _ = request(next)
        next.close()
        test.turn(until: "the failure is reported") { test.failure?.contains("the connection was lost") == true }
        test.advance(by: EndpointSliceWatch.longestRetry)
        next = try accept()
        #expect(request(next).contains("&resourceVersion=7&"))
        open(next)
        test.turn(until: "it is told") { test.failure == nil }
        #expect(test.listed == ["http://10.0.0.1"])
    }

    // MARK: Who asks

    @Test func `the token is read for each request`() throws {
        try start()
        let peer = try accept()
        #expect(request(peer).contains("\r\nAuthorization: Bearer first\r\n"))
        answer(peer, #"{"code":401}"#, status: "401 Unauthorized")
        test.turn(until: "the failure is reported") {
            test.failure?.contains("does not take the service account's") == true
        }
        #expect(test.failure?.contains("first") == false)
        _ = try account.write("token", Array("second\n".utf8))
        test.advance(by: EndpointSliceWatch.firstRetry)
        #expect(request(peer).contains("\r\nAuthorization: Bearer second\r\n"))
        list(peer, version: "7", slice("a", ["10.0.0.1"]))
        #expect(request(peer).contains("\r\nAuthorization: Bearer second\r\n"))
        #expect(test.failure == nil)
    }

    /// The longest wait is thirty seconds, from half to all of it.
    @Test func `a token that comes while one is refused is shown within a second`() throws {
        try start()
        let peer = try accept()
        for count in 1...6 as ClosedRange<UInt64> {
            #expect(request(peer).contains("\r\nAuthorization: Bearer first\r\n"))
            answer(peer, #"{"code":401}"#, status: "401 Unauthorized")
            test.turn(until: "the failure is counted") { test.feed.counts[.failed] == count }
            if count < 6 { test.advance(by: EndpointSliceWatch.longestRetry) }
        }
        test.advance(by: RefusedToken.lookInterval)
        test.turn(3)
        #expect(peer.receive().text.isEmpty)
        _ = try account.write("token", Array("second\n".utf8))
        test.advance(by: RefusedToken.lookInterval)
        #expect(request(peer).contains("\r\nAuthorization: Bearer second\r\n"))
        // A new token is not made to wait for what became of the former.
        answer(peer, #"{"code":401}"#, status: "401 Unauthorized")
        test.turn(until: "the failure is counted") { test.feed.counts[.failed] == 7 }
        test.advance(by: EndpointSliceWatch.firstRetry)
        #expect(request(peer).contains("\r\nAuthorization: Bearer second\r\n"))
    }

    @Test func `a token goes nowhere in the clear but to this machine`() throws {
        guard case .address(let address) = server.url.place else { return }
        try start(EndpointURL(place: .name("api.test", port: 80)), lookup: { _, _, answer in answer([address]) })
        let text = request(try accept())
        #expect(text.contains("\r\nHost: api.test\r\n") && !text.contains("Authorization"))
    }

    @Test func `what is to be secured is not sent in the clear`() throws {
        try start(server.secureURL)
        #expect(test.failure?.contains("cannot be asked over TLS: nothing says whom to trust") == true)
        test.turn(3)
        #expect(server.acceptPresent() == nil)
    }

    @Test func `a token is shown when it is known to whom`() throws {
        let client = try SecureWorld.client()
        try start(server.secureURL, secure: { TLSTarget(client, to: "shop.test") })
        let peer = SecurePeer(try accept(), try SecureWorld.server())
        test.turn(until: "a request comes") {
            peer.peer.send(peer.take())
            return peer.text.hasSuffix("\r\n\r\n")
        }
        #expect(peer.isEstablished && peer.text.contains("\r\nAuthorization: Bearer first\r\n"))
        let body = "{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[\(slice("a", ["10.0.0.1"]))]}"
        peer.peer.send(peer.encrypted("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"))
        wait(for: "10.0.0.1")
    }

    @Test func `a server that is not whom it should be hears nothing`() throws {
        let client = try SecureWorld.client("other.test")
        try start(server.secureURL, secure: { TLSTarget(client, to: "other.test") })
        let peer = SecurePeer(try accept(), try SecureWorld.server())
        test.turn(until: "it is refused") {
            peer.peer.send(peer.take())
            return test.failure != nil
        }
        #expect(test.failure?.contains(": no TLS (") == true && peer.text.isEmpty)
    }

    @Test func `a missing rule is named`() throws {
        try start()
        let peer = try accept()
        _ = request(peer)
        answer(peer, #"{"kind":"Status","code":403,"message":"user \"x\" cannot list"}"#, status: "403 Forbidden")
        test.turn(until: "the failure is reported") { test.failure != nil }
        #expect(
            test.failure?.contains(
                "may not list endpointslices in namespace shop; its Role needs apiGroups [discovery.k8s.io], "
                    + "resources [endpointslices], verbs [list, watch]: user \"x\" cannot list"
            ) == true
        )
    }

    @Test func `a server without the present version is asked for the one before`() throws {
        try start()
        let peer = try accept()
        #expect(request(peer).hasPrefix("GET /apis/discovery.k8s.io/v1/"))
        answer(peer, "404 page not found", status: "404 Not Found")
        test.turn(3)
        test.advance(by: 2_000_000)
        #expect(request(peer).hasPrefix("GET /apis/discovery.k8s.io/v1beta1/"))
        list(peer, version: "7", slice("a", ["10.0.0.1"]))
        #expect(request(peer).hasPrefix("GET /apis/discovery.k8s.io/v1beta1/"))
        #expect(test.feed.counts[.failed] == 0)
        // It is updated under way.
        answer(peer, "404 page not found", status: "404 Not Found")
        test.turn(3)
        test.advance(by: 2_000_000)
        #expect(request(peer).hasPrefix("GET /apis/discovery.k8s.io/v1/"))
        answer(peer, "404 page not found", status: "404 Not Found")
        test.turn(until: "neither is there") { test.failure?.contains("neither of discovery.k8s.io/v1 nor") == true }
    }

    @Test func `a port that no pod has is a failure that says which there are`() throws {
        try start()
        let peer = try accept()
        _ = request(peer)
        let other = slice("a", ["10.0.0.1"]).replacing("\"http\"", with: "\"web\"")
        list(peer, version: "7", other)
        test.turn(until: "the failure is reported") { test.failure != nil }
        #expect(test.failure?.contains("shop/orders:http: no such port of its pods; there are web (80)") == true)
    }

    @Test func `nothing is found behind the end`() throws {
        let service = try #require(KubernetesService(parsing: "shop/orders"))
        let api = KubernetesAPI(server.url, account: account.path)
        let provider = KubernetesProvider(service, from: api, feed: test.feed, on: test.loop, lookup: { _, _, _ in })
        test.start(provider)
        let peer = try accept()
        _ = request(peer)
        provider.stop()
        list(peer, version: "7", slice("a", ["10.0.0.1"]))
        test.turn(5)
        test.advance(by: 60_000_000_000)
        #expect(test.news.isEmpty && peer.receivesEnd())
    }
}
