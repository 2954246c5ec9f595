// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir
import WeirTestSupport

@Suite struct MiddlewareTests {
    /// Notes when it is entered and left.
    private struct Noting: Middleware {
        let name: String
        let notes: Notes

        func handle(_ request: Request, _ context: RequestContext, next: NextHandler) async throws -> Response {
            notes.add("+\(name)")
            defer { notes.add("-\(name)") }
            return try await next(request, context)
        }
    }

    private struct Refusing: Middleware {
        func handle(_ request: Request, _ context: RequestContext, next: NextHandler) async throws -> Response {
            guard request.headers["Authorization"] != nil else { throw HTTPError(.unauthorized, "who are you?") }
            return try await next(request, context)
        }
    }

    private struct Rescuing: Middleware {
        func handle(_ request: Request, _ context: RequestContext, next: NextHandler) async throws -> Response {
            do {
                return try await next(request, context)
            } catch is HTTPError {
                return .text("rescued")
            }
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `the first middleware is the outermost, whatever the handler's kind`(kind: HandlerKind) async throws {
        let app = makeApp()
        let notes = Notes()
        app.handle(kind, "/x") { _, _ in
            notes.add("handler")
            return .text("x")
        }
        app.use(Noting(name: "a", notes: notes))
        app.use(Noting(name: "b", notes: notes))
        try await app.test { client async throws in
            #expect(try await client.get("/x").text == "x")
        }
        #expect(notes.all == ["+a", "+b", "handler", "-b", "-a"])
    }

    @Test func `a group's middleware lies within the app's, an inner group's within the outer's`() async throws {
        let app = makeApp()
        let notes = Notes()
        app.use(Noting(name: "app", notes: notes))
        app.group("/v1") { outer in
            outer.get("/before", on: .loop) { _, _ in .text("") }
            outer.use(Noting(name: "outer", notes: notes))
            outer.group("/in") { inner in
                inner.use(Noting(name: "inner", notes: notes))
                inner.get("/x", on: .loop) { _, _ in .text("") }
            }
            outer.get("/x", on: .loop) { _, _ in .text("") }
        }
        app.get("/x", on: .loop) { _, _ in .text("") }
        func entered(_ target: String) async throws -> [String] {
            let before = notes.all.count
            try await app.test { client async throws in #expect(try await client.get(target).status == 200) }
            return notes.all[before...].filter { $0.hasPrefix("+") }
        }
        #expect(try await entered("/x") == ["+app"])
        #expect(try await entered("/v1/before") == ["+app"])
        #expect(try await entered("/v1/x") == ["+app", "+outer"])
        #expect(try await entered("/v1/in/x") == ["+app", "+outer", "+inner"])
    }

    @Test(arguments: HandlerKind.allCases)
    func `a handler keeps its place behind middleware`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.use(RequestID())
        app.handle(kind, "/thread") { _, _ in .text(threadName()) }
        try await app.test { client async throws in
            let expected = kind.placement == .loop ? "weir-loop-0" : "weir-worker"
            #expect(try await client.get("/thread").text == expected)
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `middleware may answer early, and the handler does not run`(kind: HandlerKind) async throws {
        let app = makeApp()
        let notes = Notes()
        app.use(Refusing())
        app.handle(kind, "/x") { _, _ in
            notes.add("handler")
            return .text("x")
        }
        try await app.test { client async throws in
            let refused = try await client.get("/x")
            #expect(refused.status == 401)
            #expect(try ProblemDocument(refused).detail == "who are you?")
            #expect(notes.all.isEmpty)
            #expect(try await client.get("/x", headers: ["Authorization": "me"]).text == "x")
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `middleware may change the response and catch what the handler throws`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.use(RequestID())
        app.use(Rescuing())
        app.handle(kind, "/fine") { _, _ in .text("fine") }
        app.handle(kind, "/conflict") { _, _ in throw HTTPError(.conflict) }
        try await app.test { client async throws in
            let fine = try await client.get("/fine", headers: ["X-Request-Id": "abc"])
            #expect(fine.headers["X-Request-Id"] == "abc")
            #expect(try await client.get("/conflict").text == "rescued")
        }
    }

    /// Puts texts in capitals.
    private struct Shouting: Middleware {
        func handle(_ request: Request, _ context: RequestContext, next: NextHandler) async throws -> Response {
            let response = try await next(request, context)
            guard response.mediaType?.hasPrefix("text/") == true, let bytes = response.bytes else { return response }
            let text = String(decoding: bytes, as: UTF8.self).uppercased()
            var loud = Response.bytes(Array(text.utf8), contentType: response.mediaType, status: response.status)
            loud.headers = response.headers
            return loud
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `middleware may read a response's body and type, and send another`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.use(Shouting())
        app.handle(kind, "/text") { _, _ in
            var response = Response.text("quiet", status: .accepted)
            response.headers["X-Kept"] = "1"
            return response
        }
        app.handle(kind, "/json") { _, _ in .json(["quiet"]) }
        app.handle(kind, "/stream") { _, _ in .stream(contentType: "text/plain") { try await $0.write("quiet") } }
        try await app.test { client async throws in
            let text = try await client.get("/text")
            #expect(text.text == "QUIET" && text.status == 202 && text.headers["X-Kept"] == "1")
            #expect(text.headers.all("Content-Type") == ["text/plain; charset=utf-8"])
            #expect(try await client.get("/json").text == "[\"quiet\"]")
            #expect(try await client.get("/stream").text == "quiet")
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `a handler behind middleware gets its body`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.use(RequestID())
        app.handleBody(kind, "/echo") { body, _ in .bytes(body) }
        try await app.test { client async throws in
            for count in [0, 10, 200_000] {
                let body = [UInt8](repeating: 65, count: count)
                let response = try await client.post("/echo", body: body)
                #expect(response.status == 200, "\(count) bytes")
                #expect(isEqual(response.body, body), "\(count) bytes")
            }
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `the body limit holds behind middleware`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.use(RequestID())
        app.handleBody(kind, "/echo", [.bodyLimit(.bytes(10))]) { body, _ in .bytes(body) }
        try await app.test { client async throws in
            let fits = try await client.post("/echo", body: [UInt8](repeating: 65, count: 10))
            let tooLarge = try await client.post("/echo", body: [UInt8](repeating: 65, count: 11))
            #expect(fits.status == 200)
            #expect(tooLarge.status == 413)
        }
    }

    @Test func `middleware does not see requests without a route`() async throws {
        let app = makeApp()
        let notes = Notes()
        app.use(Noting(name: "a", notes: notes))
        app.get("/x", on: .loop) { _, _ in .text("x") }
        try await app.test { client async throws in
            #expect(try await client.get("/y").status == 404)
            #expect(try await client.post("/x", body: []).status == 405)
        }
        #expect(notes.all.isEmpty)
    }

    @Test(arguments: HandlerKind.allCases)
    func `a streamed response passes through middleware`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.use(RequestID())
        app.handle(kind, "/stream") { _, _ in
            .stream(contentType: "text/plain") { writer in
                for number in 0..<5 { try await writer.write("\(number)") }
            }
        }
        try await app.test { client async throws in
            let response = try await client.get("/stream")
            #expect(response.text == "01234")
            #expect(response.headers["X-Request-Id"] != nil)
        }
    }
}
