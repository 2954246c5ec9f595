// SPDX-License-Identifier: Apache-2.0

import Logging
import Testing
import Weir

@Suite struct RequestContextTests {
    private enum UserKey: RequestContextKey { typealias Value = String }
    private enum CountKey: RequestContextKey { typealias Value = Int }

    private struct Authenticating: Middleware {
        func handle(_ request: Request, _ context: RequestContext, next: NextHandler) async throws -> Response {
            context[UserKey.self] = request.headers["X-User"]
            return try await next(request, context)
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `values are kept by type during a request, and not beyond`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.use(Authenticating())
        app.handle(kind, "/") { _, context in
            let before = context[CountKey.self]
            context[CountKey.self] = 1
            context[CountKey.self] = (context[CountKey.self] ?? 0) + 1
            return .text("\(context[UserKey.self] ?? "nobody") \(before ?? 0) \(context[CountKey.self] ?? 0)")
        }
        try await app.test { client async throws in
            // One connection, so that the request's memory is used again.
            let responses = try await client.exchange(
                "GET / HTTP/1.1\r\nHost: h\r\nX-User: ada\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"
                    + "GET / HTTP/1.1\r\nHost: h\r\nX-User: eve\r\nConnection: close\r\n\r\n"
            )
            #expect(responses.map(\.text) == ["ada 0 2", "nobody 0 2", "eve 0 2"])
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `a plausible request id is the client's, another is ours`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.handle(kind, "/") { _, context in .text(context.requestID) }
        try await app.test { client async throws in
            for given in ["abc-123", "x", String(repeating: "i", count: 128)] {
                #expect(try await client.get("/", headers: ["X-Request-Id": given]).text == given)
            }
            var own: Set<String> = []
            for given in ["", "a b", "a\"b", "a\\b", "ä", String(repeating: "i", count: 129), nil] {
                let headers: Headers = given.map { ["X-Request-Id": $0] } ?? [:]
                let id = try await client.get("/", headers: headers).text
                #expect(id.utf8.count == 16 && id.allSatisfy(\.isHexDigit), "\(given ?? "none"): \(id)")
                own.insert(id)
            }
            #expect(own.count == 7)
        }
    }

    @Test func `the logger carries the request's id`() async throws {
        let log = CapturedLog()
        let app = makeApp(log: log)
        app.get("/") { _, context in
            context.logger.info("from the handler")
            return .text("")
        }
        try await app.test { client async throws in
            _ = try await client.get("/", headers: ["X-Request-Id": "id-3"])
        }
        #expect(log.entry("from the handler")?.metadata["request_id"] == "id-3")
    }

    @Test(arguments: HandlerKind.allCases)
    func `a request that nobody cancelled is not cancelled`(kind: HandlerKind) async throws {
        let app = makeApp()
        let notes = Notes()
        app.handle(kind, "/") { _, context in
            context.onCancel { notes.add("cancelled") }
            return .text("\(context.isCancelled) \(Task.isCancelled) \(context.remaining > .zero)")
        }
        try await app.test { client async throws in
            #expect(try await client.get("/").text == "false false true")
        }
        #expect(notes.all.isEmpty)
    }

    @Test(arguments: HandlerKind.asynchronous)
    func `sleeping and yielding let a handler go on`(kind: HandlerKind) async throws {
        let app = makeApp()
        let handler: @Sendable (Request, RequestContext) async throws -> Response = { _, context in
            try await context.sleep(for: .zero)
            try await context.sleep(for: .milliseconds(2))
            for _ in 0..<10 { await context.yield() }
            return .text("awake")
        }
        app.add(RouteDeclaration(.get, "/", on: kind.placement, use: handler))
        try await app.test { client async throws in
            #expect(try await client.get("/").text == "awake")
        }
    }

    @Test func `many sleepers wake in the order of their durations`() async throws {
        let app = makeApp()
        let notes = Notes()
        app.get("/") { _, context in
            await withTaskGroup(of: Void.self) { group in
                for milliseconds in [60, 20, 40, 1] {
                    group.addTask {
                        try? await context.sleep(for: .milliseconds(milliseconds))
                        notes.add("\(milliseconds)")
                    }
                }
            }
            return .text("")
        }
        try await app.test { client async throws in _ = try await client.get("/") }
        #expect(notes.all == ["1", "20", "40", "60"])
    }

    @Test func `the client of the kit comes over a Unix socket`() async throws {
        let app = makeApp()
        app.get("/", on: .loop) { _, context in .text(context.client) }
        try await app.test { client async throws in
            #expect(try await client.get("/").text == "unix:")
        }
    }
}

@Suite struct CurrentRequestTests {
    private struct Noting: Middleware {
        let notes: Notes

        func handle(_ request: Request, _ context: RequestContext, next: NextHandler) async throws -> Response {
            notes.add(RequestContext.current?.requestID ?? "none")
            return try await next(request, context)
        }
    }

    private static func currentID() async -> String { RequestContext.current?.requestID ?? "none" }

    @Test(arguments: [HandlerKind.async, .asyncOnWorkers])
    func `whatever a handler calls finds the request that it is for`(kind: HandlerKind) async throws {
        let notes = Notes()
        let app = makeApp()
        app.use(Noting(notes: notes))
        let handler: @Sendable (Request, RequestContext) async throws -> Response = { _, context in
            async let child = Self.currentID()
            let before = await Self.currentID()
            await context.yield()
            let other = await Task { await Self.currentID() }.value
            let detached = await Task.detached { await Self.currentID() }.value
            return .text("\(before) \(await child) \(other) \(await Self.currentID()) \(detached)")
        }
        app.add(RouteDeclaration(.get, "/", on: kind.placement, [], use: handler))
        try await app.test { client async throws in
            for id in ["one", "two"] {
                let response = try await client.get("/", headers: ["X-Request-Id": id])
                #expect(response.text == "\(id) \(id) \(id) \(id) none")
            }
        }
        #expect(notes.all == ["one", "two"])
        #expect(RequestContext.current?.requestID == nil)
    }

    @Test func `the deadline of the client is found too`() async throws {
        let app = makeApp()
        app.get("/") { _, _ async throws in
            let left = try #require(RequestContext.current?.remaining)
            return .text(left > .zero && left <= .seconds(9) ? "within" : "\(left)")
        }
        try await app.test { client async throws in
            #expect(try await client.get("/", headers: ["grpc-timeout": "9S"]).text == "within")
        }
    }
}
