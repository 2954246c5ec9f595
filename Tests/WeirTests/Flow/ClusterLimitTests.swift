// SPDX-License-Identifier: Apache-2.0
// Limits that all replicas share: what the store is asked, and what becomes of a request that waits for it.

import Logging
import Testing
import Weir
import WeirFlow
import WeirTestSupport

@Suite(.timeLimit(.minutes(2))) struct ClusterLimitTests {
    /// An app whose limits are counted in `store`.
    private static func app(
        _ store: FakeStore,
        _ limits: String = "5/h;by=client",
        log: CapturedLog = CapturedLog(),
        _ change: (inout Settings) -> Void = { _ in }
    ) throws -> App {
        let limits = limits.isEmpty ? [] : try RateLimit.list(limits)
        let app = makeApp(log: log) { settings in
            settings.rateLimiting.limits = limits
            settings.rateLimiting.scope = .cluster
            settings.rateLimiting.redis = "redis://test"
            change(&settings)
        }
        app.countLimits(in: store.store)
        return app
    }

    private static let refusal = LimitDecision(isAllowed: false, limit: 5, retryAfter: 1_500_000_000)

    @Test func `all limits of a request are asked for at once, by keys that every replica has alike`() async throws {
        let store = FakeStore()
        let app = try Self.app(
            store,
            "100/s;name=total,5/h;by=client,7/m;burst=3;by=host,9/s;by=header:X-Key,9/s;by=route"
        )
        app.get("/a/:id", .limit(.gcra(.perSecond(2)), by: .parameter("id"), named: "id"), on: .loop) { _, _ in
            .text("a")
        }
        try await app.test { client async throws in
            #expect(try await client.get("/a/7", headers: ["Host": "Shop.Example:80", "X-Key": "k 1"]).status == 200)
            #expect(try await client.get("/a/", headers: ["Host": "x"]).status == 404)
        }
        #expect(
            store.asked == [
                FakeStore.Asked(
                    limits: [0, 1, 2, 3, 4, 5],
                    keys: [nil, "unix", "shop.example", "k 1", "GET /a/:id", "7"]
                )
            ]
        )
        #expect(store.limits.map(\.name) == ["total", "client", "host", "header", "route", "id GET /a/:id"])
        #expect(store.limits.map(\.quota) == [100, 5, 3, 9, 9, 2])
        #expect(store.limits[2].emissionInterval == 8_571_428_572)
        #expect(store.isStarted && store.isStopped)
    }

    @Test func `limits of one name on different routes are told apart, and a group's is one`() async throws {
        let store = FakeStore()
        let app = try Self.app(store, "")
        let shared = RouteOption.limit(.gcra(.perSecond(1)), named: "n")
        app.get("/a", .limit(.gcra(.perSecond(1)), named: "n"), on: .loop) { _, _ in .text("") }
        app.get("/b", .limit(.gcra(.perSecond(1)), named: "n"), .limit(.gcra(.perHour(1)), named: "n"), on: .loop) {
            _,
            _ in
            .text("")
        }
        app.get("/c", shared, on: .loop) { _, _ in .text("") }
        app.get("/d", shared, on: .loop) { _, _ in .text("") }
        try await app.test { client async throws in
            for path in ["/a", "/b", "/c", "/d"] { #expect(try await client.get(path).status == 200) }
        }
        #expect(store.asked.map(\.limits) == [[0], [1, 2], [3], [3]])
        #expect(store.limits.map(\.name) == ["n GET /a", "n GET /b", "n GET /b 2", "n GET /c"])
    }

    @Test func `a request waits for the store's answer, and then is served`() async throws {
        let store = FakeStore(nil)
        let app = try Self.app(store)
        app.get("/", on: .loop) { _, _ in .text("served") }
        try await app.test { client async throws in
            async let response = client.get("/")
            try #require(await eventuallyTrue { store.waitingCount == 1 })
            store.tell(.allowed)
            #expect(try await response.text == "served")
        }
    }

    @Test func `pipelined requests are asked for one after the other, and answered in order`() async throws {
        let store = FakeStore(nil)
        let app = try Self.app(store)
        app.get("/:n", on: .loop) { request, _ in .text(try request.parameter("n")) }
        try await app.test { client async throws in
            async let responses = client.exchange(
                "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
            )
            for count in 1...2 {
                try #require(await eventuallyTrue { store.asked.count == count && store.waitingCount == 1 })
                store.tell(.allowed)
            }
            #expect(try await responses.map(\.text) == ["1", "2"])
        }
    }

    @Test(arguments: [HandlerKind.loop, .workers, .async, .asyncOnWorkers], [false, true])
    func `a body stays where it is while its request waits, and then comes whole`(
        kind: HandlerKind,
        isChunked: Bool
    ) async throws {
        let store = FakeStore(nil)
        let app = try Self.app(store)
        let body = String(repeating: "0123456789", count: 20_000)
        switch kind {
        case .loop, .workers:
            app.post("/", on: kind == .loop ? .loop : .workers) { request, _ in
                .text(String(decoding: try request.body.collect(), as: UTF8.self))
            }
        case .async, .asyncOnWorkers:
            app.add(
                RouteDeclaration(.post, "/", on: kind.placement) { request, _ async throws in
                    .text(String(decoding: try await request.body.collect(upTo: .mebibytes(1)), as: UTF8.self))
                }
            )
        }
        let framing = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(body.utf8.count)"
        let coded = isChunked ? "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n" : body
        try await app.test { client async throws in
            async let responses = client.exchange(
                "POST / HTTP/1.1\r\nHost: h\r\n\(framing)\r\n\r\n\(coded)GET /x HTTP/1.1\r\nConnection: close\r\n\r\n"
            )
            try #require(await eventuallyTrue { store.waitingCount == 1 })
            store.tell(.allowed)
            let all = try await responses
            #expect(all.map(\.status) == [200, 400])
            #expect(all.first?.text == body)
        }
    }

    @Test(arguments: [true, false]) func `what the store refuses is answered 429, and the connection goes on`(
        isAtOnce: Bool
    ) async throws {
        let store = FakeStore(isAtOnce ? .refused(by: 0) : nil, decision: Self.refusal)
        let app = try Self.app(store)
        app.post("/", on: .loop) { _, _ in .text("served") }
        try await app.test { client async throws in
            async let responses = client.exchange(
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                    + "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            if !isAtOnce {
                for count in 1...2 {
                    try #require(await eventuallyTrue { store.asked.count == count && store.waitingCount == 1 })
                    store.tell(.refused(by: 0), Self.refusal)
                }
            }
            let all = try await responses
            #expect(all.map(\.status) == [429, 429])
            #expect(all.map { $0["Retry-After"] } == ["2", "2"])
        }
    }

    @Test(arguments: [true, false]) func `where the store does not answer, this replica's share decides`(
        isAtOnce: Bool
    ) async throws {
        let store = FakeStore(isAtOnce ? .unavailable(.away) : nil)
        let app = try Self.app(store, "9/h;by=header:x-key") { $0.rateLimiting.replicas = 4 }
        app.get("/", on: .loop) { _, _ in .text("served") }
        try await app.test { client async throws in
            var statuses: [Int] = []
            for key in ["a", "a", "a", "b"] {
                async let response = client.get("/", headers: ["X-Key": key])
                if !isAtOnce {
                    try #require(await eventuallyTrue { store.waitingCount == 1 })
                    store.tell(.unavailable(.slow))
                }
                statuses.append(try await response.status)
            }
            // A share of two for each key.
            #expect(statuses == [200, 200, 429, 200])
        }
    }

    @Test func `a client that leaves while its request waits cancels the check`() async throws {
        let store = FakeStore(nil)
        let log = CapturedLog()
        let folder = try ScratchFolder()
        let app = try Self.app(store, log: log) { settings in
            settings.listen = [.unix(path: "\(folder.path)/s", mode: nil)]
        }
        let notes = Notes()
        app.get("/", on: .loop) { _, _ in
            notes.add("ran")
            return .text("nobody reads this")
        }
        let running = try await RunningApp(app, log: log)
        let client = try RawClient("unix:\(folder.path)/s")
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        try #require(await eventuallyTrue { store.waitingCount == 1 })
        client.close()
        #expect(await eventuallyTrue { store.cancelledCount == 1 })
        try await running.stop()
        #expect(notes.all.isEmpty)
    }

    @Test func `the deadline holds while a request waits`() async throws {
        let store = FakeStore(nil)
        let app = try Self.app(store)
        app.get("/", .deadline(.milliseconds(20)), on: .loop) { _, _ in .text("never") }
        try await app.test { client async throws in
            #expect(try await client.get("/").status == 504)
            #expect(store.cancelledCount == 1)
        }
    }

    @Test func `the end of a service ends those that wait`() async throws {
        let store = FakeStore(nil)
        let app = try Self.app(store)
        app.get("/", on: .loop) { _, _ in .text("never") }
        var waiting: Task<Bool, Never>?
        try await app.test { client async throws in
            waiting = Task { (try? await client.get("/")) == nil }
            #expect(await eventuallyTrue { store.waitingCount == 1 })
        }
        #expect(await waiting?.value == true)
        #expect(store.cancelledCount == 1)
    }

    @Test func `that the store is away and back again is logged once`() async throws {
        let store = FakeStore()
        let log = CapturedLog()
        let app = try Self.app(store, log: log)
        app.get("/", on: .loop) { _, _ in .text("") }
        try await app.test { client async throws in
            let reports: [StoreReport] = [
                .ready, .away("gone"), .away("gone"), .away("no password"), .ready, .away("gone"), .ready,
            ]
            for report in reports { store.report(report) }
            // Behind the reports in the loop's inbox.
            #expect(try await client.get("/").status == 200)
        }
        let entries = log.entries.filter { $0.message.contains("limits of the cluster") }
        #expect(entries.map { $0.metadata["problem"] } == [nil, "gone", "no password", nil, "gone", nil])
        #expect(entries.map(\.level) == [.notice, .warning, .warning, .notice, .warning, .notice])
    }

    @Test func `limits without a key are divided anew when the number of replicas changes`() async throws {
        let app = makeApp { $0.rateLimiting.scope = .cluster }
        app.get("/", .limit(.gcra(.perHour(8))), on: .loop) { _, _ in .text("") }
        app.get("/free", on: .loop) { _, _ in .text("") }
        try await app.test { client async throws in
            for _ in 0..<3 { #expect(try await client.get("/").status == 200) }
            client.setReplicas(2)
            try #require(await eventuallyTrue { client.publishedVersion == 2 })
            // Behind it the loop has the new routes.
            #expect(try await client.get("/free").status == 200)
            // Of a share of four, three are used up.
            #expect(try await client.get("/").status == 200)
            #expect(try await client.get("/").status == 429)
        }
    }
}
