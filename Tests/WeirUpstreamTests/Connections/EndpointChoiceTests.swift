// SPDX-License-Identifier: Apache-2.0
// What real requests make of the choice among endpoints: outcomes, breakers, ejection, back-pressure, recovery.

import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

@Suite struct EndpointChoiceTests {
    private static let second: Nanoseconds = 1_000_000_000

    /// Has a request answered by whichever endpoint it goes to.
    private func answer(
        _ test: PoolInHand,
        _ endpoints: [ScriptedEndpoint],
        _ peers: inout [ObjectIdentifier: ScriptedPeer],
        _ response: (Int) -> String
    ) throws -> Int {
        let request = test.request()
        request.begin()
        test.turn()
        let connection = try #require(request.connection)
        let place = try #require(test.upstream.endpoints.firstIndex { $0 === connection.endpoint })
        let peer = try peers[ObjectIdentifier(connection)] ?? endpoints[place].accept()
        peers[ObjectIdentifier(connection)] = peer
        peer.send(response(place))
        test.turn(until: "it is answered") { request.isOver }
        return place
    }

    private static func status(_ status: Int, _ fields: String = "") -> String {
        "HTTP/1.1 \(status) X\r\n\(fields)Content-Length: 0\r\n\r\n"
    }

    @Test func `the endpoint that answers later gets less`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1]) { $0.balancing = .leastLatency }
        // Each has been seen: the first takes 100 ms, the second 1 ms.
        test[0].load.note(100_000_000, at: test.loop.now)
        test[1].load.note(1_000_000, at: test.loop.now)
        for _ in 0..<20 { #expect(test.request().lease() == .leased) }
        // One more in flight costs the second 1 ms each.
        #expect(test[1].requestCount == 20)
    }

    @Test func `an endpoint whose connections fail is left alone, and tried again`() throws {
        let endpoints = [try ScriptedEndpoint(isTCP: true), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1]) {
            $0.circuit = CircuitPolicy()
            $0.panic = PanicThreshold(percent: 0)
        }
        endpoints[0].close()
        var requests: [TestRequest] = []
        for _ in 0..<20 {
            let request = test.request()
            #expect(request.lease() == .leased)
            requests.append(request)
            test.turn(until: "the refusal is known") {
                request.connection?.endpoint !== test[0] || request.isOver
            }
        }
        #expect(test.failures("connect") == 5)
        #expect(test[0].circuit.state == .open)
        #expect(
            test.upstream.reweigh(at: test.clock.now).contains {
                if case .breaker(_, true) = $0 { true } else { false }
            }
        )
        #expect(test[0].isBreakerOpen)
        // Its weight is gone: it is not even asked.
        #expect(test.upstream.endpointSet.table.entries[0].weight == .zero)
        test.advance(by: .seconds(6))
        _ = test.upstream.reweigh(at: test.clock.now)
        #expect(!test[0].isBreakerOpen)
        #expect(test.upstream.endpointSet.table.entries[0].weight > .zero)
    }

    @Test func `that an endpoint's connections fail is said once, and so is that they no longer do`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) { $0.circuit = CircuitPolicy() }
        let policy = CircuitPolicy()
        var random = WyRand(seed: 1)
        var lines: [Bool] = []
        func look() {
            for case .breaker(_, let isFailing) in test.upstream.reweigh(at: test.clock.now) { lines.append(isFailing) }
        }
        for _ in 0..<5 { _ = test[0].circuit.failed(.request, at: test.clock.now, policy, using: &random) }
        look()
        // An hour in which each probe fails.
        for _ in 0..<600 {
            test.advance(by: .seconds(6))
            look()
            #expect(test[0].circuit.admit(at: test.clock.now, policy) == .probe)
            look()
            _ = test[0].circuit.failed(.probe, at: test.clock.now, policy, using: &random)
            look()
        }
        #expect(lines == [true])
        // Connections that come and go.
        for _ in 0..<100 {
            test.advance(by: .seconds(6))
            _ = test[0].circuit.admit(at: test.clock.now, policy)
            _ = test[0].circuit.succeeded(.probe, at: test.clock.now, policy)
            look()
            for _ in 0..<5 { _ = test[0].circuit.failed(.request, at: test.clock.now, policy, using: &random) }
            look()
        }
        // 600 seconds, and a line in ten of them at most.
        #expect(lines.count < 62)
        test.advance(by: .seconds(11))
        _ = test[0].circuit.admit(at: test.clock.now, policy)
        _ = test[0].circuit.succeeded(.probe, at: test.clock.now, policy)
        look()
        #expect(lines.last == false)
        #expect(zip(lines, lines.dropFirst()).allSatisfy { $0 != $1 })
    }

    @Test func `where every breaker is open no endpoint is asked`() throws {
        let endpoint = try ScriptedEndpoint(isTCP: true)
        let test = try PoolInHand(endpoint) { $0.circuit = CircuitPolicy() }
        endpoint.close()
        for _ in 0..<5 {
            let request = test.request()
            #expect(request.lease() == .leased)
            test.turn(until: "the refusal is known") { request.isOver }
        }
        #expect(test.request().lease() == .unavailable)
        #expect(test.failures("connect") == 5)
    }

    @Test func `an endpoint that fails beside others is ejected, and comes back`() throws {
        let endpoints = try (0..<3).map { _ in try ScriptedEndpoint() }
        let test = try PoolInHand(endpoints[0], endpoints[1], endpoints[2]) { $0.slowStart = 0 }
        var peers: [ObjectIdentifier: ScriptedPeer] = [:]
        _ = test.upstream.reweigh(at: test.clock.now)
        for _ in 0..<30 {
            _ = try answer(test, endpoints, &peers) { $0 == 1 ? Self.status(502) : Self.status(200) }
        }
        test.advance(by: .seconds(1))
        let events = test.upstream.reweigh(at: test.clock.now)
        #expect(events.contains { if case .ejection = $0 { true } else { false } })
        #expect(test[1].isEjected)
        #expect(test.upstream.ejections.ejected == 1)
        #expect(test.upstream.ejections.byCause.values.reduce(0, +) == 1)
        for _ in 0..<10 { #expect(try answer(test, endpoints, &peers) { _ in Self.status(200) } != 1) }
        test.advance(by: .seconds(40))
        _ = test.upstream.reweigh(at: test.clock.now)
        #expect(!test[1].isEjected)
        let places = try (0..<9).map { _ in try answer(test, endpoints, &peers) { _ in Self.status(200) } }
        #expect(places.count { $0 == 1 } == 3)
    }

    @Test func `429 takes from an endpoint's share and ejects nobody`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1])
        var peers: [ObjectIdentifier: ScriptedPeer] = [:]
        for _ in 0..<20 {
            _ = try answer(test, endpoints, &peers) {
                $0 == 0 ? Self.status(429, "Retry-After: 5\r\n") : Self.status(200)
            }
            test.advance(by: .milliseconds(100))
            _ = test.upstream.reweigh(at: test.clock.now)
        }
        #expect(!test[0].isEjected)
        let weights = test.upstream.endpointSet.table.entries.map(\.weight.value)
        #expect(weights[0] < 0.3 && weights[1] == 1)
    }

    @Test func `a share that comes back does so step by step`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1]) {
            $0.circuit = CircuitPolicy()
            $0.slowStart = 10 * Self.second
            $0.panic = PanicThreshold(percent: 0)
        }
        var random = WyRand(seed: 1)
        for _ in 0..<5 { _ = test[0].circuit.failed(.request, at: test.clock.now, CircuitPolicy(), using: &random) }
        _ = test.upstream.reweigh(at: test.clock.now)
        test.advance(by: .seconds(6))
        var weights: [Double] = []
        for _ in 0..<120 {
            _ = test.upstream.reweigh(at: test.clock.now)
            weights.append(test.upstream.endpointSet.table.entries[0].weight.value)
            test.advance(by: .milliseconds(100))
        }
        #expect(weights == weights.sorted())
        #expect(weights[0] < 0.2 && weights.last == 1)
        // One set for a step, not for each look.
        #expect(test.upstream.endpointSet.version < 40)
    }

    @Test func `an unused connection that ends as it is leased is no failure of the endpoint`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) { $0.circuit = CircuitPolicy() }
        for _ in 0..<10 {
            let first = test.request()
            first.begin()
            test.turn()
            let peer = try endpoint.accept()
            peer.send(Self.status(200))
            test.turn(until: "it is answered") { first.isOver }
            peer.close()
            let second = test.request()
            second.begin()
            test.turn(until: "it fails") { second.isOver }
            #expect(second.faults.count == 1)
        }
        #expect(test[0].circuit.state == .closed)
        #expect(test[0].outcomes.counts.connectionFailures == 0)
    }

    @Test func `an endpoint that goes and comes back at once is judged by what is new`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1])
        func answer(_ count: Int) {
            for endpoint in test.upstream.endpoints {
                for _ in 0..<count { endpoint.outcomes.note(.answered(5_000_000)) }
            }
        }
        answer(100)
        _ = test.upstream.reweigh(at: test.clock.now)
        let policy = test.upstream.policy
        test.replace([endpoints[0].url], policy: policy)
        test.replace(endpoints.map(\.url), policy: policy)
        // Its counts are less than they were.
        answer(30)
        for _ in 0..<70 {
            test.advance(by: .seconds(1))
            #expect(test.upstream.reweigh(at: test.clock.now).isEmpty)
        }
        #expect(test.upstream.ejections.ejected == 0)
    }

    @Test func `that so few are well is told once`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1], endpoints[2])
        for place in 0..<2 { test[place].condition.note(.critical, output: "") }
        func panics() -> [Bool] {
            test.upstream.reweigh(at: test.clock.now).compactMap { if case .panic(let isOn) = $0 { isOn } else { nil } }
        }
        #expect(panics() == [true])
        #expect(panics().isEmpty)
        for place in 0..<2 { test[place].condition.note(.passing, output: "") }
        #expect(panics() == [false])
    }
}
