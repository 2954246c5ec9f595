// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir

@Suite(.timeLimit(.minutes(2))) struct AppliedRouteTests {
    private static let routes = """
        routes:
          - match: {host: [shop.test, "*.shop.test"], path: [/v1/orders, "/v1/orders/*rest"], methods: [GET, POST]}
            upstream: a
          - match: {path: /v1/orders/:id}
            upstream: b
            pool: none
        """

    @Test(arguments: [
        (Method.get, "shop.test", "/v1/orders", 200, "a"),
        (.post, "eu.shop.test", "/v1/orders/7/items?x=1", 200, "a"),
        // The host counts more than the path.
        (.get, "shop.test", "/v1/orders/7", 200, "a"),
        (.get, "other.test", "/v1/orders/7", 200, "b"),
        (.put, "other.test", "/v1/orders/7", 200, "b"),
        (.put, "shop.test", "/v1/orders", 405, ""),
        (.get, "other.test", "/v1/orders", 404, ""),
    ])
    func `a request goes where host, path and method say`(
        method: Method,
        host: String,
        target: String,
        status: Int,
        service: String
    ) async throws {
        try await withConfiguredGateway(["a", "b"], Self.routes) { client async throws in
            let response = try await client.send(method, target, headers: ["Host": host])
            #expect(response.status == status)
            #expect(response.headers["X-Service"] ?? "" == service)
            if !service.isEmpty { #expect(response.headers["X-Target"] == target) }
        }
    }

    @Test func `without routes all goes to the upstream called default`() async throws {
        try await withConfiguredGateway(["default", "b"], "") { client async throws in
            #expect(try await client.get("/any/where").headers["X-Service"] == "default")
        }
    }

    @Test func `a route has its limits, and its paths share them`() async throws {
        let yaml = "routes: [{match: {path: [/a, /b]}, upstream: a, limit: 1/h}, {match: {path: /c}, upstream: a}]"
        try await withConfiguredGateway(["a"], yaml) { client async throws in
            #expect(try await client.get("/a").status == 200)
            #expect(try await client.get("/b").status == 429)
            #expect(try await client.get("/c").status == 200)
        }
    }

    @Test func `an upstream whose endpoints are still to be found serves nobody, and harms nobody`() async throws {
        let yaml = """
            upstreams: {b: {discover: "file:///nowhere.json"}}
            routes: [{upstream: b}, {match: {path: /old}, redirect: {to: /new}}]
            """
        try await App(GatewayConfiguration(yaml, ["WEIR_LOOPS": "1"])).test { client async throws in
            #expect(try await client.get("/").status >= 502)
            #expect(try await client.get("/old").status == 308)
        }
    }

    private struct Passing: Middleware {
        func handle(_ request: Request, _ context: RequestContext, next: NextHandler) async throws -> Response {
            try await next(request, context)
        }
    }

    @Test func `requests behind middleware are divided, too`() async throws {
        try await withEchoes(["a", "b"]) { urls async throws in
            let upstreams = urls.map { "\($0): {endpoints: [\"\($1)\"]}" }.joined(separator: ", ")
            let routes = "routes: [{split: [{upstream: a, weight: 1}, {upstream: b, weight: 1}]}]"
            let yaml = "upstreams: {\(upstreams)}\n\(routes)"
            let app = App(try GatewayConfiguration(yaml, ["WEIR_LOOPS": "1", "WEIR_LOG_LEVEL": "critical"]))
            app.use(Passing())
            try await app.test { client async throws in
                var services: Set<String> = []
                for _ in 0..<64 { services.insert(try await client.get("/").headers["X-Service"] ?? "") }
                // That one of them gets none of 64 happens once in 2⁶³.
                #expect(services == ["a", "b"])
            }
        }
    }

    @Test func `a redirect says where, and nobody is asked`() async throws {
        let yaml = "routes: [{match: {path: /old}, redirect: {to: /new, status: 301}}]"
        try await withConfiguredGateway(["a"], yaml) { client async throws in
            let response = try await client.get("/old")
            #expect(response.status == 301)
            #expect(response.headers["Location"] == "/new")
        }
    }

    @Test func `code's routes stay beside those of the file`() async throws {
        let app = try App(GatewayConfiguration("routes: [{match: {path: /old}, redirect: {to: /new}}]"))
        app.get("/code", on: .loop) { _, _ in .text("code") }
        try app.validate()
        try await app.test { client async throws in
            #expect(try await client.get("/code").text == "code")
            #expect(try await client.get("/old").status == 308)
        }
        app.get("/old", on: .loop) { _, _ in .text("twice") }
        #expect(throws: AppError.self) { try app.validate() }
    }
}
