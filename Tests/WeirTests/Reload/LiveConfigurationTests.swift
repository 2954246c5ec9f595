// SPDX-License-Identifier: Apache-2.0
// What a reload keeps and what it changes: the whole engine, in process.

import Testing
import Weir
import WeirFlow

@Suite struct LiveConfigurationTests {
    private static let environment = ["WEIR_LOOPS": "1", "WEIR_LOG_LEVEL": "critical"]

    private static func configuration(_ yaml: String) throws(SettingsError) -> GatewayConfiguration {
        do {
            return try GatewayConfiguration(yaml, environment)
        } catch let error as SettingsError {
            throw error
        } catch {
            preconditionFailure("the test's YAML: \(error)")
        }
    }

    /// An app with a route of its own and what `yaml` says.
    private static func app(_ yaml: String, hold: Hold = Hold()) throws -> App {
        let app = App(try configuration(yaml))
        hold.declare(on: app)
        return app
    }

    private static func reload(_ client: TestClient, _ yaml: String) -> ReloadOutcome {
        client.reload { () throws(SettingsError) in try configuration(yaml) }
    }

    private static func redirect(_ target: String, _ fields: String = "") -> String {
        "routes: [{match: {path: /r}, redirect: {to: \(target)}\(fields)}]"
    }

    @Test func `routes are others from the next request on`() async throws {
        try await Self.app(Self.redirect("/one")).test { client async throws in
            #expect(try await client.get("/r").headers["Location"] == "/one")
            let outcome = Self.reload(client, Self.redirect("/two"))
            var changes = ReloadChanges()
            changes.changed = ["routes"]
            #expect(outcome == .applied(version: 2, changes))
            #expect(try await client.get("/r").headers["Location"] == "/two")
        }
    }

    @Test func `what says the same publishes nothing`() async throws {
        try await Self.app(Self.redirect("/one")).test { client async throws in
            let outcome = Self.reload(client, Self.redirect("/one"))
            #expect(outcome == .unchanged(version: 1))
            #expect(client.version == 1)
        }
    }

    @Test(arguments: [
        ("deadlin: 2s", "weir.yaml:1:1: deadlin: not a setting; did you mean deadline?"),
        ("deadline: 2", "weir.yaml:1:11: deadline: \"2\": expected a duration"),
        ("routes: [{match: {path: /r}, upstream: nowhere}]", "weir.yaml:1:40: routes[0].upstream: \"nowhere\""),
        ("routes: [{match: {path: /hold}, redirect: {to: /x}}]", "route * /hold"),
        ("rate-limit: 1/s\nroutes: [{match: {path: /r, methods: [FETCH]}, redirect: {to: /x}}]", "weir.yaml:2:39"),
    ])
    func `a wrong configuration changes nothing and is one line`(yaml: String, line: String) async throws {
        let limited = "deadline: 5s\n" + Self.redirect("/one", ", limit: [{rate: 2/h}]")
        try await Self.app(limited).test { client async throws in
            #expect(try await client.get("/r").status == 308)
            let outcome = Self.reload(client, yaml)
            guard case .rejected(let reason) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            #expect(reason.contains(line))
            #expect(!reason.contains("\n"))
            #expect(client.version == 1)
            #expect(client.settings.deadline == .seconds(5))
            #expect(client.limitCount == 1)
            #expect(try await client.get("/r").headers["Location"] == "/one")
            #expect(try await client.get("/r").status == 429)
        }
    }

    @Test func `a limit keeps what was counted, at another rate too`() async throws {
        func limited(_ rate: String, _ target: String) -> String {
            Self.redirect(target, ", limit: [{rate: \(rate), by: client}, {rate: 100/s}]")
        }
        try await Self.app(limited("3/h", "/0")).test { client async throws in
            for _ in 0..<2 { #expect(try await client.get("/r").status == 308) }
            for turn in 1...20 {
                _ = Self.reload(client, limited("3/h", "/\(turn)"))
            }
            #expect(try await client.get("/r").status == 308)
            #expect(try await client.get("/r").status == 429)
            // A greater burst fills from what was left: nothing.
            _ = Self.reload(client, limited("50/h", "/x"))
            #expect(try await client.get("/r").status == 429)
            #expect(client.limitCount == 2)
        }
    }

    @Test func `limits that are gone are let go of, and numbers are used again`() async throws {
        try await Self.app("").test { client async throws in
            for turn in 1...100 {
                let yaml = Self.redirect("/\(turn)", ", limit: [{rate: 5/s, name: n\(turn)}, {rate: 9/s, name: stays}]")
                _ = Self.reload(client, yaml)
                #expect(client.limitCount == 2)
                #expect(client.limitNumberCount <= 3)
            }
            _ = Self.reload(client, "")
            #expect(client.limitCount == 0)
        }
    }

    @Test func `a store counts in the new limits, each under the number that it had`() async throws {
        let shared = "rate-limit-scope: cluster\nredis: redis://test\n"
        func limited(_ limits: String) -> String { shared + Self.redirect("/x", ", limit: [\(limits)]") }
        let store = FakeStore()
        let app = App(try Self.configuration(limited("{rate: 5/h, name: a}, {rate: 6/h, name: b}")))
        app.countLimits(in: store.store)
        try await app.test { client async throws in
            #expect(try await client.get("/r").status == 308)
            _ = Self.reload(client, limited("{rate: 7/h, name: b}, {rate: 8/h, name: c}"))
            #expect(await eventuallyTrue { store.limits.map(\.quota) == [5, 7, 8] })
            #expect(try await client.get("/r").status == 308)
            _ = Self.reload(client, limited("{rate: 7/h, name: b}, {rate: 9/h, name: d}"))
            // That of `a` is free by now, that of `c` is not yet.
            #expect(await eventuallyTrue { store.limits.map(\.quota) == [9, 7, 8] })
            #expect(try await client.get("/r").status == 308)
        }
        #expect(store.asked.map(\.limits) == [[0, 1], [1, 2], [1, 0]])
    }

    @Test func `the pod's pool has its new places at once, and those who wait run`() async throws {
        let hold = Hold()
        try await Self.app("concurrency: 1\nqueue: 1", hold: hold).test { client async throws in
            async let first = client.get("/hold")
            #expect(await client.untilExecuting(1))
            async let second = client.get("/hold")
            #expect(await client.untilQueued(1))
            let outcome = Self.reload(client, "concurrency: 2\nqueue: 7\nloops: 9")
            // The loops are those of the environment, whatever the file says.
            var changes = ReloadChanges()
            changes.changed = ["WEIR_CONCURRENCY", "WEIR_QUEUE"]
            #expect(outcome == .applied(version: 2, changes))
            #expect(await client.untilExecuting(2))
            #expect(client.pod.limit == 2)
            #expect(client.pod.queueLimit == 7)
            hold.gate.open()
            let answers = try await [first, second]
            #expect(answers.allSatisfy { $0.status == 200 })
            #expect(await client.untilQuiet())
        }
    }

    @Test func `a pool of the same name is the same, and one that is gone is let go of`() async throws {
        func pooled(_ concurrency: Int, _ name: String) -> String {
            """
            pools: {\(name): {concurrency: \(concurrency), queue: 3}}
            routes: [{match: {path: /r}, redirect: {to: /x}, pool: \(name)}]
            """
        }
        try await Self.app(pooled(4, "slow")).test { client async throws in
            #expect(try await client.get("/r").status == 308)
            #expect(client.pools.map(\.name) == ["pod", "slow"])
            _ = Self.reload(client, pooled(5, "slow"))
            #expect(try await client.get("/r").status == 308)
            #expect(client.pools[1].arrived == 2)
            #expect(client.pools[1].limit == 5)
            _ = Self.reload(client, pooled(5, "other"))
            #expect(try await client.get("/r").status == 308)
            #expect(client.pools.map(\.name) == ["pod", "other"])
            #expect(client.pools[1].arrived == 1)
        }
    }

    @Test func `a setting that waits for a restart is said, and applied to nothing`() async throws {
        try await Self.app("drain: {timeout: 30s}").test { client async throws in
            let outcome = Self.reload(client, "drain: {timeout: 40s}\ndeadline: 3s")
            var changes = ReloadChanges()
            changes.changed = ["WEIR_DEADLINE"]
            changes.afterRestart = ["WEIR_DRAIN_TIMEOUT"]
            #expect(outcome == .applied(version: 2, changes))
            #expect(client.settings.drainTimeout == .seconds(30))
            #expect(client.settings.deadline == .seconds(3))
        }
    }

    @Test func `a request that waits has the endpoints of the routes that it met`() async throws {
        try await withEchoes(["a", "b"]) { urls async throws in
            func leading(to name: String) -> String {
                """
                concurrency: 1
                queue: 8
                upstreams: {orders: {endpoints: ["\(urls[name] ?? "")"]}}
                routes: [{match: {path: /orders}, upstream: orders}]
                """
            }
            let hold = Hold()
            try await Self.app(leading(to: "a"), hold: hold).test { client async throws in
                #expect(try await client.get("/orders").headers["X-Service"] == "a")
                async let held = client.get("/hold")
                #expect(await client.untilExecuting(1))
                async let waiting = client.get("/orders")
                #expect(await client.untilQueued(1))
                // More than one, and its endpoint's place is another's.
                for name in ["b", "a", "b"] {
                    guard case .applied = Self.reload(client, leading(to: name)) else {
                        Issue.record("not applied")
                        return
                    }
                }
                hold.gate.open()
                #expect(try await held.status == 200)
                #expect(try await waiting.headers["X-Service"] == "a")
                for _ in 0..<3 { #expect(try await client.get("/orders").headers["X-Service"] == "b") }
                #expect(await client.untilQuiet())
            }
        }
    }
}
