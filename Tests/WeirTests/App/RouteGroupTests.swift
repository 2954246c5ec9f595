// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir

@Suite struct RouteGroupTests {
    @Test func `a group puts its prefix in front of its routes, an inner group both`() async throws {
        let app = makeApp()
        app.group("/v1") { v1 in
            v1.get("/a", on: .loop) { request, _ in .text(request.path) }
            v1.group("/users/:id") { user in
                user.get("/orders/:order", on: .loop) { request, _ in
                    .text("\(try request.parameter("id"))-\(try request.parameter("order"))")
                }
            }
        }
        try await app.test { client async throws in
            #expect(try await client.get("/v1/a").text == "/v1/a")
            #expect(try await client.get("/v1/users/7/orders/9").text == "7-9")
            #expect(try await client.get("/a").status == 404)
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `a group's body limit holds for its routes, the route's own wins`(kind: HandlerKind) async throws {
        let app = makeApp { $0.limits.bodyBytes = 100 }
        app.handleBody(kind, "/app") { body, _ in .text("\(body.count)") }
        app.group("/g", .bodyLimit(.bytes(10))) { group in
            group.handleBody(kind, "/group") { body, _ in .text("\(body.count)") }
            group.handleBody(kind, "/route", [.bodyLimit(.bytes(1000))]) { body, _ in .text("\(body.count)") }
        }
        try await app.test { client async throws in
            for (target, limit) in [("/app", 100), ("/g/group", 10), ("/g/route", 1000)] {
                let fits = try await client.post(target, body: [UInt8](repeating: 0, count: limit))
                #expect(fits.text == "\(limit)", "\(target)")
                let tooLarge = try await client.post(target, body: [UInt8](repeating: 0, count: limit + 1))
                #expect(tooLarge.status == 413, "\(target)")
            }
        }
    }

    @Test func `the smallest of the deadlines of settings, groups and route holds`() async throws {
        let app = makeApp { $0.deadline = .seconds(1000) }
        let remaining: @Sendable (Request, RequestContext) throws -> Response = { _, context in
            .text("\(context.remaining.components.seconds + 1)")
        }
        app.add(RouteDeclaration(.get, "/settings", on: .loop, use: remaining))
        app.add(RouteDeclaration(.get, "/longer", on: .loop, [.deadline(.seconds(5000))], use: remaining))
        app.group("/g", .deadline(.seconds(500))) { group in
            group.add(RouteDeclaration(.get, "/longer", on: .loop, [.deadline(.seconds(900))], use: remaining))
            group.add(RouteDeclaration(.get, "/shorter", on: .loop, [.deadline(.seconds(100))], use: remaining))
            group.group("/in", .deadline(.seconds(300))) { inner in
                inner.add(RouteDeclaration(.get, "/x", on: .loop, use: remaining))
            }
        }
        try await app.test { client async throws in
            for (target, most) in [
                ("/settings", 1000), ("/longer", 1000), ("/g/longer", 500), ("/g/shorter", 100), ("/g/in/x", 300),
            ] {
                let seconds = try #require(Int(try await client.get(target).text))
                // What is left after the way here; a machine that takes a minute for that has other troubles.
                #expect(seconds <= most && seconds > most - 60, "\(target): \(seconds)")
            }
        }
    }

    @Test func `routes of a group with a host are found under that host only`() async throws {
        let app = makeApp()
        app.group("", .host("shop.example.com")) { shop in
            shop.get("/", on: .loop) { _, _ in .text("shop") }
        }
        app.group("", .host("*.example.com")) { any in
            any.get("/", on: .loop) { _, _ in .text("any") }
        }
        app.get("/", on: .loop) { _, _ in .text("default") }
        app.get("/only", .host("a.test"), on: .loop) { _, _ in .text("a") }
        try await app.test { client async throws in
            for (host, target, text) in [
                ("shop.example.com", "/", "shop"), ("SHOP.example.com:8080", "/", "shop"),
                ("b.example.com", "/", "any"), ("example.com", "/", "default"), ("other", "/", "default"),
                ("a.test", "/only", "a"),
            ] {
                let responses = try await client.exchange(
                    "GET \(target) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n"
                )
                #expect(responses.map(\.text) == [text], "\(host)\(target)")
            }
            let elsewhere = try await client.exchange("GET /only HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")
            #expect(elsewhere.map(\.status) == [404])
        }
    }
}
