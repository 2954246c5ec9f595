// SPDX-License-Identifier: Apache-2.0
// How checks run: when, against what, and what comes of each kind of answer.

import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

private func http(
    _ endpoint: ScriptedEndpoint,
    _ thresholds: CheckCounter.Thresholds = .init(),
    _ change: (inout HTTPCheck) -> Void = { _ in }
) throws -> CheckDefinition {
    var check = HTTPCheck(try CheckURL(path: "/healthz?deep", at: endpoint.url))
    change(&check)
    return CheckDefinition(.http(check), interval: .seconds(5), timeout: .seconds(2), thresholds: thresholds)
}

private func tcp(_ endpoint: ScriptedEndpoint) -> CheckDefinition {
    CheckDefinition(.tcp(endpoint.url.place), interval: .seconds(5), timeout: .seconds(2))
}

@Suite("A runner of checks")
struct CheckRunnerTests {
    @Test("runs a check first after its delay, then an interval after each end")
    func schedule() throws {
        let endpoint = try ScriptedEndpoint()
        let hand = try RunnerInHand()
        _ = hand.add(try http(endpoint))
        hand.advance(by: .milliseconds(499))
        #expect(endpoint.acceptPresent() == nil)
        hand.advance(by: .milliseconds(2))
        let first = try hand.request(at: endpoint)
        hand.advance(by: .seconds(1))
        first.peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        #expect(try hand.update(1).status == .passing)
        hand.advance(by: .milliseconds(4990))
        #expect(endpoint.acceptPresent() == nil)
        hand.advance(by: .milliseconds(20))
        _ = try hand.request(at: endpoint)
    }

    @Test("asks with what the check says, and with a Host, an agent and an end of its own")
    func request() throws {
        let endpoint = try ScriptedEndpoint(isTCP: true)
        let hand = try RunnerInHand()
        _ = hand.add(
            try http(endpoint) { check in
                check.method = "POST"
                check.fields = [CheckField("X-Probe", "1"), CheckField("Accept", "*/*")]
                check.body = "ping"
            }
        )
        hand.advance(by: .seconds(1))
        let text = try hand.request(at: endpoint).text
        #expect(
            text == """
                POST /healthz?deep HTTP/1.1\r
                Host: \(endpoint.url.authority)\r
                User-Agent: Weir Health Check\r
                X-Probe: 1\r
                Accept: */*\r
                Content-Length: 4\r
                Connection: close\r
                \r
                ping
                """
        )
    }

    @Test(
        "takes each kind of answer for what it is",
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, .passing, "200 OK Output: ok"),
            ("HTTP/1.1 204 No Content\r\n\r\n", false, .passing, "204 No Content Output: "),
            (
                "HTTP/1.1 429 Slow\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", false,
                .warning,
                "429 Slow Output: abcd"
            ),
            ("HTTP/1.0 500 Oh\r\n\r\nuntil the end", true, .critical, "500 Oh Output: until the end"),
            ("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", false, .critical, "302 Found Output: "),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", false, .passing, "200 Output: "),
            // The head has decided: what becomes of the body does not matter.
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", true, .passing, "200 OK Output: ok"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", false, .passing, "200 OK Output: "),
            ("HTTP/1.1 2", true, .critical, "the connection was closed without an answer"),
            ("", true, .critical, "the connection was closed without an answer"),
            ("SSH-2.0\r\n\r\n", false, .critical, "the answer is no HTTP/1.1"),
        ] as [(String, Bool, CheckStatus, String)]
    )
    func answers(_ answer: String, _ ends: Bool, _ status: CheckStatus, _ output: String) throws {
        let endpoint = try ScriptedEndpoint()
        let hand = try RunnerInHand()
        let definition = try http(endpoint)
        _ = hand.add(definition)
        hand.advance(by: .seconds(1))
        let peer = try hand.request(at: endpoint).peer
        peer.send(answer)
        if ends { peer.endSending() }
        let update = try hand.update(1)
        #expect(update.status == status)
        #expect(update.output == "HTTP GET \(EndpointURL(place: endpoint.url.place))/healthz?deep: \(output)")
        #expect(peer.receivesEnd())
    }

    @Test("reads an answer that comes byte by byte")
    func byteByByte() throws {
        let endpoint = try ScriptedEndpoint()
        let hand = try RunnerInHand()
        _ = hand.add(try http(endpoint))
        hand.advance(by: .seconds(1))
        let peer = try hand.request(at: endpoint).peer
        for byte in "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".utf8 {
            peer.send([byte])
            hand.turn(1)
        }
        #expect(try hand.update(1).output.hasSuffix("200 OK Output: ok"))
    }

    @Test("gives a check up when its time is over; a body that is late changes nothing")
    func timeouts() throws {
        let endpoint = try ScriptedEndpoint()
        let hand = try RunnerInHand()
        _ = hand.add(try http(endpoint))
        hand.advance(by: .seconds(1))
        let silent = try hand.request(at: endpoint).peer
        hand.advance(by: .milliseconds(2001))
        #expect(try hand.update(1).status == .critical)
        #expect(try hand.update(1).output.hasSuffix(": timed out"))
        #expect(silent.receivesEnd())
        hand.advance(by: .seconds(6))
        let slow = try hand.request(at: endpoint).peer
        slow.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal")
        hand.turn(4)
        hand.advance(by: .milliseconds(2001))
        #expect(try hand.update(2).status == .passing)
        #expect(try hand.update(2).output.hasSuffix("Output: hal"))
    }

    @Test("reads no more of a body than it may, and keeps its end")
    func longBody() throws {
        let endpoint = try ScriptedEndpoint()
        let hand = try RunnerInHand { $0.bodyBytesMax = 10_000 }
        _ = hand.add(try http(endpoint))
        hand.advance(by: .seconds(1))
        let peer = try hand.request(at: endpoint).peer
        peer.send("HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "a", count: 6000) + String(repeating: "b", count: 4000))
        let output = try hand.update(1).output
        #expect(output.hasSuffix("Output: " + String(repeating: "a", count: 96) + String(repeating: "b", count: 4000)))
        #expect(peer.receivesEnd())
    }

    @Test("begins with the PROXY header that the upstream's connections begin with", arguments: [false, true])
    func proxyProtocol(isHTTP: Bool) throws {
        for version in ProxyProtocol.Version.allCases {
            let (test, endpoint) = (try RunnerInHand(), try ScriptedEndpoint(isTCP: true))
            let kind =
                isHTTP
                ? CheckDefinition.Kind.http(HTTPCheck(try CheckURL(parsing: "http://a/"))) : .tcp(endpoint.url.place)
            let definition = CheckDefinition(kind, interval: .seconds(10), proxyProtocol: version)
            guard case .address(let address) = endpoint.url.place else { return }
            _ = test.add(definition) { [address] }
            test.advance(by: .seconds(1))
            let peer = try endpoint.accept()
            let signature = "\r\n\r\n\0\r\nQUIT\n"
            let expected = version == .version1 ? "PROXY TCP4 127.0.0.1 127.0.0.1 " : signature + " \0\0\0"
            var text = ""
            eventually("the header comes") {
                test.turn(1)
                text += peer.receive().text
                return text.utf8.count >= expected.utf8.count
            }
            #expect(text.hasPrefix(expected))
        }
    }

    @Test("connects for a TCP check, and nothing more")
    func tcpCheck() throws {
        let endpoint = try ScriptedEndpoint(isTCP: true)
        let hand = try RunnerInHand()
        _ = hand.add(tcp(endpoint))
        hand.advance(by: .seconds(1))
        let update = try hand.update(1)
        #expect(update.status == .passing)
        #expect(update.output == "TCP connect \(endpoint.url.authority): Success")
        #expect(try endpoint.accept().receivesEnd())
        endpoint.close()
        hand.advance(by: .seconds(6))
        let failed = try hand.update(2)
        #expect(failed.status == .critical)
        #expect(failed.output == "TCP connect \(endpoint.url.authority): no connection")
    }

    @Test("counts results before it reports a change")
    func counting() throws {
        let endpoint = try ScriptedEndpoint(isTCP: true)
        let hand = try RunnerInHand()
        var definition = tcp(endpoint)
        definition.thresholds = .init(failuresBeforeWarning: 2, failuresBeforeCritical: 3)
        _ = hand.add(definition)
        hand.advance(by: .seconds(1))
        #expect(try hand.update(1).isTransition)
        hand.advance(by: .seconds(6))
        #expect(try !hand.update(2).isTransition)
        endpoint.close()
        // The first failure is no news.
        hand.advance(by: .seconds(6))
        hand.turn(4)
        #expect(hand.updates.count == 2)
        hand.advance(by: .seconds(6))
        #expect(try hand.update(3).status == .warning)
        hand.advance(by: .seconds(6))
        #expect(try hand.update(4).status == .critical)
        #expect(try hand.update(4).isTransition)
    }

    @Test("tries the addresses of an endpoint in order, as they are at the time")
    func addresses() throws {
        let gone = try ScriptedEndpoint(isTCP: true)
        let present = try ScriptedEndpoint(isTCP: true)
        gone.close()
        guard case .address(let first) = gone.url.place, case .address(let second) = present.url.place else {
            return #expect(Bool(false))
        }
        let hand = try RunnerInHand()
        _ = hand.add(tcp(gone)) { [first, second] }
        _ = hand.add(tcp(gone)) { [] }
        hand.advance(by: .seconds(1))
        _ = try hand.update(2)
        #expect(Set(hand.updates.map(\.status)) == [.passing, .critical])
    }

    @Test("looks names up, without blocking and within the check's time")
    func names() throws {
        let endpoint = try ScriptedEndpoint(isTCP: true)
        guard case .address(let address) = endpoint.url.place, let port = address.port else {
            return #expect(Bool(false))
        }
        let hand = try RunnerInHand { options in
            options.resolve = { name, _, _, found in
                switch name {
                case "known.test": found([address])
                case "unknown.test": found([])
                default: break
                }
            }
        }
        for name in ["known.test", "unknown.test", "slow.test"] {
            let place = EndpointURL.Place.name(name, port: port)
            _ = hand.add(CheckDefinition(.tcp(place), interval: .seconds(60), timeout: .seconds(1)))
        }
        hand.advance(by: .seconds(1))
        _ = try hand.update(2)
        hand.advance(by: .seconds(2))
        _ = try hand.update(3)
        #expect(
            Set(hand.updates.map(\.output)) == [
                "TCP connect known.test:\(port): Success", "TCP connect unknown.test:\(port): the name has no address",
                "TCP connect slow.test:\(port): the name was not looked up in time",
            ]
        )
    }

    @Test("by the system's resolver, too")
    func systemResolver() throws {
        let endpoint = try ScriptedEndpoint(isTCP: true)
        let port = try #require(endpoint.url.port)
        let hand = try RunnerInHand()
        _ = hand.add(CheckDefinition(.tcp(.name("localhost", port: port)), interval: .seconds(60)))
        hand.advance(by: .seconds(1))
        #expect(try hand.update(1).status == .passing)
    }

    @Test("has no more runs under way than it may; the others follow in order")
    func concurrency() throws {
        let endpoint = try ScriptedEndpoint()
        let hand = try RunnerInHand { $0.concurrencyMax = 2 }
        for _ in 0..<5 { _ = hand.add(try http(endpoint)) }
        hand.advance(by: .seconds(1))
        var peers = [try hand.request(at: endpoint).peer, try hand.request(at: endpoint).peer]
        hand.turn(4)
        #expect(endpoint.acceptPresent() == nil)
        for number in 1...5 {
            peers.removeFirst().send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            _ = try hand.update(number)
            if number <= 3 { peers.append(try hand.request(at: endpoint).peer) }
        }
        #expect(endpoint.acceptPresent() == nil)
    }

    @Test("runs a thousand checks that fail at once one after the other, without depth")
    func manyFailures() throws {
        let hand = try RunnerInHand { $0.concurrencyMax = 1 }
        let place = EndpointURL.Place.address(.unix(path: "/nowhere/at/all"))
        for _ in 0..<1000 { _ = hand.add(CheckDefinition(.tcp(place), interval: .seconds(60))) }
        hand.advance(by: .seconds(1))
        _ = try hand.update(1000)
        #expect(hand.updates.allSatisfy { $0.status == .critical })
    }

    @Test("ends a check wherever it is, and tells nobody")
    func removing() throws {
        let endpoint = try ScriptedEndpoint()
        let hand = try RunnerInHand { $0.concurrencyMax = 1 }
        let running = hand.add(try http(endpoint))
        let queued = hand.add(try http(endpoint))
        hand.advance(by: .seconds(1))
        let peer = try hand.request(at: endpoint).peer
        let waiting = hand.add(try http(endpoint))
        for id in [queued, running, waiting, running] { hand.runner.remove(id) }
        hand.turn()
        #expect(peer.receivesEnd())
        hand.advance(by: .seconds(60))
        #expect(endpoint.acceptPresent() == nil)
        #expect(hand.updates.isEmpty)
        #expect(hand.runner.checkCount == 0)
        // The place is free.
        _ = hand.add(try http(endpoint))
        hand.advance(by: .seconds(1))
        _ = try hand.request(at: endpoint)
    }
}

@Suite("The checks of a registry")
struct RegistryChecksTests {
    @Test("run while they are registered, and its time goes on")
    func following() throws {
        let endpoint = try ScriptedEndpoint()
        let hand = try RunnerInHand()
        let registry = HealthRegistry(node: HealthNode(id: "n", name: "n", address: "127.0.0.1"))
        var options = CheckRunner.Options()
        options.firstDelay = { _ in .milliseconds(500) }
        let checks = RegistryChecks(registry, on: hand.loop, options: options)
        checks.start()
        defer {
            checks.stop()
            hand.turn()
        }
        hand.turn()
        let active = HealthCheck(id: "http", name: "http", definition: try http(endpoint))
        let told = HealthCheck(
            id: "ttl",
            name: "ttl",
            status: .passing,
            definition: CheckDefinition(.ttl(.seconds(3)), deregisterCriticalServiceAfter: .seconds(60))
        )
        try registry.register(
            HealthService(id: "a", name: "a"),
            checks: [active, told],
            now: hand.loop.now
        )
        hand.turn()
        hand.advance(by: .seconds(1))
        try hand.request(at: endpoint).peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        hand.turn(4)
        eventually("the result is noted") {
            hand.turn(1)
            return registry.check("http")?.status == .passing
        }
        hand.advance(by: .seconds(3))
        #expect(registry.check("ttl")?.status == .critical)
        // Registered again, it runs anew; the connection of the former run ends.
        hand.advance(by: .seconds(4))
        let former = try hand.request(at: endpoint).peer
        try registry.register(active, now: hand.loop.now)
        try registry.register(HealthCheck(id: "http", name: "x", serviceID: "a", definition: active.definition), now: 0)
        hand.turn()
        #expect(former.receivesEnd())
        hand.advance(by: .seconds(1))
        _ = try hand.request(at: endpoint)
        hand.advance(by: .seconds(60))
        #expect(registry.service("a") == nil)
        hand.advance(by: .seconds(60))
        hand.turn()
        #expect(endpoint.acceptPresent() == nil)
    }
}
