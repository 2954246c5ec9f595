// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir
import WeirFlow
import WeirMetrics

@Suite(.timeLimit(.minutes(2))) struct RouteDegradationTests {
    /// Enough that some have less, and others are served as ever.
    private static let requestCount = 64

    private static func routes(_ then: String, _ route: String = "") -> String {
        """
        routes:
          - match: {path: "/*path"}
            upstream: a
            guard: {window: 600s, then: {\(then)}}
            \(route)
        """
    }

    private static func answers(_ client: TestClient) async throws -> [TestResponse] {
        var answers: [TestResponse] = []
        for _ in 0..<requestCount { answers.append(try await client.get("/x")) }
        return answers
    }

    @Test func `sheddable requests of a degraded route are turned away, until it is well again`() async throws {
        let routes = Self.routes("shed: true", "priority: sheddable")
        try await withConfiguredGateway(["a"], routes) { client async throws in
            var inHand = GuardInHand(client.guards[0])
            #expect(Set(try await Self.answers(client).map(\.status)) == [200])
            inHand.degrade()
            let answers = try await Self.answers(client)
            #expect(Set(answers.map(\.status)) == [200, 503])
            var refused: [TestResponse] = []
            for answer in answers where answer.status == 503 { refused.append(answer) }
            #expect(refused.map(\.text).allSatisfy { $0.contains(#""reason":"degraded""#) })
            #expect(refused.first?.headers["Retry-After"] == "1801")
            #expect(client.rejected(.degraded) == UInt64(refused.count))
            inHand.recover()
            #expect(Set(try await Self.answers(client).map(\.status)) == [200])
        }
    }

    @Test func `requests of another class than sheddable are not turned away`() async throws {
        try await withConfiguredGateway(["a"], Self.routes("shed: true")) { client async throws in
            var inHand = GuardInHand(client.guards[0])
            inHand.degrade()
            #expect(Set(try await Self.answers(client).map(\.status)) == [200])
            #expect(client.rejected(.degraded) == 0)
        }
    }

    @Test func `requests of a degraded route have less time, but for some`() async throws {
        let settings = ["WEIR_DEADLINE_HEADER": "x-left"]
        try await withConfiguredGateway(["a"], Self.routes("deadline: 2s"), settings: settings) { client async throws in
            var inHand = GuardInHand(client.guards[0])
            func isShort(_ answer: TestResponse) -> Bool {
                guard let text = answer.headers["Saw-x-left"], let left = DeadlineForm.duration.read(text.utf8.span)
                else { return false }
                return left <= 2_000_000_000
            }
            #expect(!(try await Self.answers(client)).contains(where: isShort))
            inHand.degrade()
            let answers = try await Self.answers(client)
            #expect(answers.contains(where: isShort))
            #expect(answers.contains { !isShort($0) })
        }
    }

    @Test func `the shorter deadline holds again behind a body that flows beyond it`() async throws {
        let (usual, other) = (try SilentEndpoint(), try SilentEndpoint())
        let upstreams = "upstreams: {a: {endpoints: [\"\(usual.url)\"]}, b: {endpoints: [\"\(other.url)\"]}}\n"
        let settings = ["WEIR_LOOPS": "1", "WEIR_LOG_LEVEL": "critical", "WEIR_DEADLINE": "600s"]
        let routes = Self.routes("deadline: 1s, upstream: b")
        try await App(GatewayConfiguration(upstreams + routes, settings)).test { client async throws in
            var inHand = GuardInHand(client.guards[0])
            inHand.degrade()
            var last: RawClient?
            for number in 1...Self.requestCount where other.requestCount == 0 {
                let raw = try client.raw()
                raw.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf")
                #expect(await eventuallyTrue { usual.requestCount + other.requestCount == number })
                last = raw
            }
            let raw = try #require(last)
            #expect(other.requestCount == 1)
            // Its place is free when it has become a stream; the others keep theirs.
            #expect(await client.untilExecuting(usual.requestCount))
            raw.send("half")
            #expect(String(decoding: await raw.receive(until: 12), as: UTF8.self).hasPrefix("HTTP/1.1 504"))
        }
    }

    @Test func `requests of a degraded route go to the other upstream, but for some`() async throws {
        try await withConfiguredGateway(["a", "b"], Self.routes("upstream: b")) { client async throws in
            var inHand = GuardInHand(client.guards[0])
            func services(_ answers: [TestResponse]) -> Set<String?> { Set(answers.map { $0.headers["X-Service"] }) }
            #expect(services(try await Self.answers(client)) == ["a"])
            inHand.degrade()
            #expect(services(try await Self.answers(client)) == ["a", "b"])
            inHand.recover()
            #expect(services(try await Self.answers(client)) == ["a"])
        }
    }

    @Test func `what was served as ever is measured, and nothing else`() async throws {
        try await withConfiguredGateway(["a", "b"], Self.routes("upstream: b")) { client async throws in
            var inHand = GuardInHand(client.guards[0])
            inHand.degrade()
            inHand.endWindow()
            let answers = try await Self.answers(client)
            let served = answers.filter { $0.headers["X-Service"] == "a" }.count
            inHand.endWindow()
            #expect(inHand.routeGuard.report.requests == UInt64(served))
        }
    }

    @Test func `a request that no endpoint takes counts as one that took its whole deadline`() async throws {
        let configuration = try GatewayConfiguration.onNoEndpoint(Self.routes("shed: true", "deadline: 7s"))
        try await App(configuration).test { client async throws in
            var inHand = GuardInHand(client.guards[0])
            inHand.windows(22, milliseconds: 10)
            for _ in 0..<40 { _ = try await client.get("/x") }
            inHand.endWindow()
            let latency = try #require(inHand.routeGuard.report.findings.first { $0.signal == .latency })
            #expect((6.5e9...7.5e9).contains(latency.value))
        }
    }

    @Test func `a request that does not come whole is not measured`() async throws {
        try await withConfiguredGateway(["a"], Self.routes("shed: true")) { client async throws in
            var inHand = GuardInHand(client.guards[0])
            inHand.endWindow()
            let raw = try client.raw()
            raw.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
            #expect(await client.untilExecuting(1))
            raw.close()
            #expect(await client.untilQuiet())
            _ = try await client.post("/x", body: Array("whole".utf8))
            inHand.endWindow()
            #expect(inHand.routeGuard.report.requests == 1)
        }
    }

    @Test func `failures of an upstream are counted for its baseline`() async throws {
        try await withConfiguredGateway(["a"], "routes: [{match: {path: \"/*path\"}, upstream: a}]") {
            client async throws in
            let window = try await client.serviceWindow { _ = try await Self.answers(client) }
            #expect(window?.upstreams["a"] == ServiceWindow.Upstream(requests: Self.requestCount, failures: 0))
        }
        try await App(.onNoEndpoint("routes: [{match: {path: /x}, upstream: a}]")).test { client async throws in
            let window = try await client.serviceWindow { _ = try await Self.answers(client) }
            let upstream = try #require(window?.upstreams["a"])
            #expect(upstream.failures > 0 && upstream.failures == upstream.requests)
        }
    }

    @Test func `a guard keeps what it has learnt over a reload, as long as its route is there`() async throws {
        func configuration(_ route: String) throws(SettingsError) -> GatewayConfiguration {
            try .onNoEndpoint(Self.routes("shed: true", route))
        }
        try await App(configuration("priority: sheddable")).test { client async throws in
            let first = client.guards[0]
            var inHand = GuardInHand(first)
            inHand.degrade()
            _ = client.reload { () throws(SettingsError) in try configuration("priority: critical") }
            #expect(client.version == 2)
            #expect(client.guards.count == 1 && client.guards[0] === first)
            #expect(first.report.isDegraded)
            _ = client.reload { () throws(SettingsError) in
                try .onNoEndpoint("routes: [{match: {path: /}, upstream: a}]")
            }
            #expect(client.guards.isEmpty)
        }
    }

    @Test func `routes of the same name have guards of their own`() async throws {
        let yaml = """
            routes:
              - {match: {path: /x, headers: {x-a: {exact: b}}}, upstream: a, guard: {then: {shed: true}}}
              - {match: {path: /x}, upstream: a, guard: {then: {shed: true}}}
              - {match: {path: /y}, upstream: a}
            """
        try await withConfiguredGateway(["a"], yaml) { client async throws in
            #expect(client.guards.map(\.name) == ["* /x", "* /x 2"])
        }
    }
}

extension GatewayConfiguration {
    /// These routes, to an upstream `a` that nobody answers for.
    fileprivate static func onNoEndpoint(_ routes: String) throws(SettingsError) -> GatewayConfiguration {
        let yaml = "upstreams: {a: {endpoints: [\"unix:/nonexistent/a\"]}}\n\(routes)"
        do {
            return try GatewayConfiguration(yaml, ["WEIR_LOOPS": "1", "WEIR_LOG_LEVEL": "critical"])
        } catch let error as SettingsError {
            throw error
        } catch {
            preconditionFailure("\(error)")
        }
    }
}
