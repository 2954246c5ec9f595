// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir

@Suite struct RequestTests {
    @Test(arguments: HandlerKind.allCases)
    func `path, target, host, method and version are what was sent`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.handle(kind, "/*rest", method: .put) { request, _ in
            .text(
                [request.method.rawValue, request.path, request.target, request.host, "\(request.minorVersion)"]
                    .joined(separator: " ")
            )
        }
        try await app.test { client async throws in
            for (line, host, text) in [
                ("/a/b?c=d HTTP/1.1", "Example.com:81", "PUT /a/b /a/b?c=d Example.com:81 1"),
                ("/a/./b/../c%20d HTTP/1.1", "h", "PUT /a/c d /a/./b/../c%20d h 1"),
                ("/x HTTP/1.0", "h", "PUT /x /x h 0"),
                ("http://other:1/y?z HTTP/1.1", "other:1", "PUT /y http://other:1/y?z other:1 1"),
            ] {
                let responses = try await client.exchange(
                    "PUT \(line)\r\nHost: \(host)\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
                #expect(responses.map(\.text) == [text], "\(line)")
            }
        }
    }

    @Test func `an absolute target without a path is the root`() async throws {
        let app = makeApp()
        app.get("/", on: .loop) { request, _ in .text(request.path) }
        try await app.test { client async throws in
            let responses = try await client.exchange("GET http://h HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            #expect(responses.map(\.text) == ["/"])
        }
    }

    @Test func `parameters are decoded once`() async throws {
        let app = makeApp()
        app.get("/users/:id/files/*path", on: .loop) { request, _ in
            .text("\(try request.parameter("id"))|\(try request.parameter("path"))")
        }
        try await app.test { client async throws in
            for (target, text) in [
                ("/users/7/files/a/b.txt", "7|a/b.txt"), ("/users/a%20b/files/%C3%A4", "a b|ä"),
                ("/users/%2541/files/x", "%41|x"), ("/users/a+b/files/x", "a+b|x"),
                ("/users/x/files/a/../b", "x|b"),
            ] {
                #expect(try await client.get(target).text == text, "\(target)")
            }
        }
    }

    @Test func `parameters become values of other types`() async throws {
        let app = makeApp()
        app.get("/:int/:double/:bool", on: .loop) { request, _ in
            let int = try request.parameter("int", as: Int.self)
            let double = try request.parameter("double", as: Double.self)
            let bool = try request.parameter("bool", as: Bool.self)
            return .text("\(int) \(double) \(bool)")
        }
        try await app.test { client async throws in
            #expect(try await client.get("/-3/2.5/true").text == "-3 2.5 true")
            for target in ["/x/2.5/true", "/1/x/true", "/1/2/yes"] {
                #expect(try await client.get(target).status == 400, "\(target)")
            }
        }
    }

    private struct Order: Codable, Equatable {
        let id: Int
        let name: String
    }

    @Test(arguments: HandlerKind.allCases)
    func `JSON comes in and goes out`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.handleJSON(kind, "/orders") { (order: Order) in
            .json(Order(id: order.id + 1, name: order.name.uppercased()), status: .created)
        }
        try await app.test { client async throws in
            let response = try await client.post("/orders", body: Array(#"{"id":1,"name":"ä\n"}"#.utf8))
            #expect(response.status == 201)
            #expect(response.headers["Content-Type"] == "application/json")
            #expect(response.text.contains(#""id":2"#))
            for body in ["", "{", #"{"id":"x","name":"n"}"#, #"{"id":1}"#, "\u{FEFF}nonsense"] {
                let wrong = try await client.post("/orders", body: Array(body.utf8))
                #expect(wrong.status == 400, "\(body)")
                #expect(try ProblemDocument(wrong).detail == "the body is no JSON of the expected form")
                #expect(!wrong.text.contains("keyNotFound"))
            }
        }
    }
}

extension RouteCollection {
    /// Declares a POST route of this kind whose handler gets the decoded body.
    func handleJSON<Value: Decodable & Sendable>(
        _ kind: HandlerKind,
        _ pattern: String,
        use handler: @escaping @Sendable (Value) throws -> Response
    ) {
        switch kind {
        case .loop, .workers:
            let whole: @Sendable (Request, RequestContext) throws -> Response = { request, _ in
                try handler(try request.decode(Value.self))
            }
            add(RouteDeclaration(.post, pattern, on: kind.placement, use: whole))
        case .async, .asyncOnWorkers:
            let waiting: @Sendable (Request, RequestContext) async throws -> Response = { request, _ in
                try handler(try await request.decode(Value.self))
            }
            add(RouteDeclaration(.post, pattern, on: kind.placement, use: waiting))
        }
    }
}
