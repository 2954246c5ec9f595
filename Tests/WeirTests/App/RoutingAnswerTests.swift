// SPDX-License-Identifier: Apache-2.0
// What the engine answers where no handler does, and what it says about wrong routes.

import Testing
import Weir

@Suite struct RoutingAnswerTests {
    private func makeRoutes() -> App {
        let app = makeApp()
        app.get("/things", on: .loop) { _, _ in .text("all") }
        app.post("/things", on: .loop) { _, _ in .text("made") }
        app.delete("/things/:id", on: .loop) { request, _ in .text(try request.parameter("id")) }
        app.put("/things/:id", on: .loop) { _, _ in .text("put") }
        app.patch("/things/:id", on: .loop) { _, _ in .text("patched") }
        app.on(.options, "/own", on: .loop) { _, _ in .text("own options") }
        app.on(.head, "/own", on: .loop) { _, _ in Response(headers: ["X-Own": "head"]) }
        return app
    }

    @Test func `a path without a route is 404 as a problem document`() async throws {
        try await makeRoutes().test { client async throws in
            let response = try await client.get("/nothing")
            #expect(response.status == 404)
            let problem = try ProblemDocument(response)
            #expect(problem.title == "Not Found")
            #expect(problem.status == 404)
        }
    }

    @Test(arguments: [
        (Method.delete, "/things", "GET, HEAD, POST, OPTIONS"), (.get, "/things/7", "PUT, DELETE, OPTIONS, PATCH"),
        (.trace, "/things", "GET, HEAD, POST, OPTIONS"),
    ])
    func `a method without a route is 405 with the methods that have one`(
        method: Weir.Method,
        target: String,
        allow: String
    ) async throws {
        try await makeRoutes().test { client async throws in
            let response = try await client.send(method, target)
            #expect(response.status == 405)
            #expect(Set((response.headers["Allow"] ?? "").split(separator: ", ")) == Set(allow.split(separator: ", ")))
        }
    }

    @Test func `each method reaches its own route`() async throws {
        try await makeRoutes().test { client async throws in
            #expect(try await client.get("/things").text == "all")
            #expect(try await client.post("/things", body: []).text == "made")
            #expect(try await client.send(.delete, "/things/7").text == "7")
            #expect(try await client.send(.put, "/things/7", body: []).text == "put")
            #expect(try await client.send(.patch, "/things/7", body: []).text == "patched")
        }
    }

    @Test func `HEAD is answered by the GET route, unless it has its own`() async throws {
        try await makeRoutes().test { client async throws in
            let head = try await client.send(.head, "/things")
            #expect(head.status == 200)
            #expect(head.headers["Content-Length"] == "3")
            #expect(head.body.isEmpty)
            #expect(try await client.send(.head, "/own").headers["X-Own"] == "head")
        }
    }

    @Test func `OPTIONS says what there is, unless it has its own route`() async throws {
        try await makeRoutes().test { client async throws in
            let options = try await client.send(.options, "/things")
            #expect(options.status == 204)
            #expect(Set((options.headers["Allow"] ?? "").split(separator: ", ")) == ["GET", "HEAD", "POST", "OPTIONS"])
            #expect(options.headers["Content-Length"] == nil)
            #expect(try await client.send(.options, "/own").text == "own options")
            #expect(try await client.send(.options, "/nothing").status == 404)
        }
    }

    @Test func `OPTIONS of the whole server says the methods of all routes`() async throws {
        try await makeRoutes().test { client async throws in
            let options = try await client.send(.options, "*")
            #expect(options.status == 204)
            let allowed = Set((options.headers["Allow"] ?? "").split(separator: ", ").map(String.init))
            #expect(allowed.isSuperset(of: ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]))
            #expect(!allowed.contains("TRACE") && !allowed.contains("CONNECT"))
        }
    }

    @Test func `an unknown method is 501, and so is CONNECT`() async throws {
        try await makeRoutes().test { client async throws in
            for request in ["BREW /things HTTP/1.1\r\nHost: a", "CONNECT a:1 HTTP/1.1\r\nHost: a:1"] {
                let responses = try await client.exchange("\(request)\r\nConnection: close\r\n\r\n")
                #expect(responses.map(\.status) == [501], "\(request)")
            }
        }
    }

    @Test(arguments: [
        ("/a/:x", "/a/:y", "/a/:x", "/a/:y"), ("/a", "/a", "/a", "/a"),
        ("/f/*rest", "/f/*other", "/f/*rest", "/f/*other"),
    ])
    func `two routes for the same requests stop the start with both named`(
        first: String,
        second: String,
        firstNamed: String,
        secondNamed: String
    ) async throws {
        let app = makeApp()
        app.get(first, on: .loop) { _, _ in .text("") }
        app.get(second, on: .loop) { _, _ in .text("") }
        let error = try #require(throws: AppError.self) { try Self.compile(app) }
        guard case .routes(let text) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(text.contains(firstNamed) && text.contains(secondNamed), "\(text)")
        #expect("\(error)" == text)
        await #expect(throws: AppError.self) { try await app.test { _ in } }
    }

    @Test(arguments: ["no-slash", "/a/:", "/a/*rest/b", "/a//b:x/:", "/:x/:x"])
    func `a wrong pattern stops the start with its text`(pattern: String) async throws {
        let app = makeApp()
        app.get(pattern, on: .loop) { _, _ in .text("") }
        let error = try #require(throws: AppError.self) { try Self.compile(app) }
        #expect("\(error)".contains(pattern), "\(error)")
    }

    @Test func `the same pattern for other methods or hosts is no conflict`() async throws {
        let app = makeApp()
        app.get("/a", on: .loop) { _, _ in .text("get") }
        app.post("/a", on: .loop) { _, _ in .text("post") }
        app.get("/a", .host("h"), on: .loop) { _, _ in .text("host") }
        try await app.test { client async throws in
            #expect(try await client.get("/a").text == "get")
            #expect(try await client.post("/a", body: []).text == "post")
        }
    }

    private static func compile(_ app: App) throws {
        _ = try app.replay([], rounds: 0, connections: 0)
    }
}
