// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir
import WeirTestSupport

@Suite struct RequestBodyTests {
    @Test(arguments: HandlerKind.allCases)
    func `a body above the limit is 413, whether it says its length or not`(kind: HandlerKind) async throws {
        let app = makeApp { $0.limits.bodyBytes = 8 }
        app.handleBody(kind, "/") { body, _ in .text("\(body.count)") }
        try await app.test { client async throws in
            let request = "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
            for (body, status) in [
                ("Content-Length: 8\r\n\r\n12345678", 200), ("Content-Length: 9\r\n\r\n123456789", 413),
                ("Transfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n4\r\n5678\r\n0\r\n\r\n", 200),
                ("Transfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n5\r\n56789\r\n0\r\n\r\n", 413),
                ("Transfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n1234567890", 413),
            ] {
                let responses = try await client.exchange(request + body)
                #expect(responses.map(\.status) == [status], "\(body)")
            }
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `a declared length above the limit is 413 before any of the body has come`(kind: HandlerKind) async throws {
        let app = makeApp { $0.timeouts.body = .milliseconds(100) }
        app.handleBody(kind, "/") { body, _ in .text("\(body.count)") }
        try await app.test { client async throws in
            let responses = try await client.exchange(
                "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9000000000000000000\r\n\r\n"
            )
            #expect(responses.map(\.status) == [413])
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `a handler may want less than the limit`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.handleBody(kind, "/", upTo: .bytes(3)) { body, _ in .text("\(body.count)") }
        try await app.test { client async throws in
            #expect(try await client.post("/", body: [1, 2, 3]).text == "3")
            let tooLarge = try await client.post("/", body: [1, 2, 3, 4])
            #expect(tooLarge.status == 413)
            #expect(try ProblemDocument(tooLarge).detail == "the body has more than 3 bytes")
        }
    }

    @Test(arguments: HandlerKind.synchronous)
    func `a synchronous handler does not run for a body above the limit`(kind: HandlerKind) async throws {
        let app = makeApp { $0.limits.bodyBytes = 4 }
        let notes = Notes()
        app.handle(kind, "/", method: .post) { _, _ in
            notes.add("ran")
            return .text("")
        }
        try await app.test { client async throws in
            #expect(try await client.post("/", body: [1, 2, 3, 4, 5]).status == 413)
        }
        #expect(notes.all.isEmpty)
    }

    @Test(arguments: HandlerKind.asynchronous, [1, 4096, 100_000])
    func `a streamed body comes whole and in order, whatever its window`(kind: HandlerKind, count: Int) async throws {
        let app = makeApp {
            $0.limits.bodyWindowBytes = 4096
            $0.limits.outputWindowBytes = 16384
        }
        let handler: @Sendable (Request, RequestContext) async throws -> Response = { request, _ in
            .stream { writer in
                for try await piece in request.body { try await writer.write(piece) }
            }
        }
        app.add(RouteDeclaration(.post, "/echo", on: kind.placement, use: handler))
        try await app.test { client async throws in
            let body = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 251) }
            // Not larger: the client writes everything before it reads, so both would wait for each other.
            let response = try await client.post("/echo", body: body)
            #expect(isEqual(response.body, body))
        }
    }

    @Test(arguments: HandlerKind.asynchronous)
    func `a large body that is read piece by piece is never held whole`(kind: HandlerKind) async throws {
        let app = makeApp { $0.limits.bodyWindowBytes = 4096 }
        let handler: @Sendable (Request, RequestContext) async throws -> Response = { request, _ in
            var count = 0
            var sum: UInt64 = 0
            for try await piece in request.body {
                for byte in piece { sum = sum &* 31 &+ UInt64(byte) }
                count += piece.count
                await Task.yield()
            }
            return .text("\(count) \(sum)")
        }
        app.add(RouteDeclaration(.post, "/sum", on: kind.placement, use: handler))
        try await app.test { client async throws in
            let body = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 251) }
            let sum = body.reduce(UInt64(0)) { $0 &* 31 &+ UInt64($1) }
            #expect(try await client.post("/sum", body: body).text == "3000000 \(sum)")
        }
    }

    @Test(
        arguments: HandlerKind.allCases,
        [
            ("Content-Length: 3\r\n\r\nabc", "3"),
            ("Content-Length: 0\r\n\r\n", "0"),
            ("\r\n", "0"),
            ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "nil"),
        ]
    )
    func `a body's length is what the head says`(
        kind: HandlerKind,
        message: (rest: String, length: String)
    ) async throws {
        let app = makeApp()
        app.handleBody(kind, "/") { _, request in .text(request.body.length.map(String.init) ?? "nil") }
        try await app.test { client async throws in
            let responses = try await client.exchange(
                "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + message.rest
            )
            #expect(responses.map(\.text) == [message.length])
        }
    }

    @Test(arguments: HandlerKind.asynchronous)
    func `trailers are there behind the body's end`(kind: HandlerKind) async throws {
        let app = makeApp()
        let handler: @Sendable (Request, RequestContext) async throws -> Response = { request, _ in
            let body = try await request.body.collect()
            let trailers = request.body.trailers
            return .text("\(body.count) \(trailers.count) \(trailers["x-sum"] ?? "nil") \(trailers["x-none"] ?? "nil")")
        }
        app.add(RouteDeclaration(.post, "/", on: kind.placement, use: handler))
        try await app.test { client async throws in
            let responses = try await client.exchange(
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                    + "2\r\nab\r\n0\r\nX-Sum: 12\r\nX-More: b\r\n\r\n"
            )
            #expect(responses.map(\.text) == ["2 2 12 nil"])
        }
    }

    @Test(arguments: HandlerKind.allCases, [false, true])
    func `trailers are there for a handler that collects the body, also behind middleware`(
        kind: HandlerKind,
        isBehindMiddleware: Bool
    ) async throws {
        let app = makeApp()
        if isBehindMiddleware { app.use(RequestID()) }
        app.handleBody(kind, "/") { body, request in
            .text("\(body.count) \(request.body.trailers["x-sum"] ?? "nil")")
        }
        try await app.test { client async throws in
            for (trailer, text) in [("X-Sum: 12\r\n", "2 12"), ("", "2 nil")] {
                let responses = try await client.exchange(
                    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                        + "2\r\nab\r\n0\r\n\(trailer)\r\n"
                )
                #expect(responses.map(\.text) == [text])
            }
        }
    }

    @Test(arguments: HandlerKind.asynchronous)
    func `trailers are not there before the body's end was read, even if they have come`(kind: HandlerKind) async throws
    {
        let app = makeApp()
        let handler: @Sendable (Request, RequestContext) async throws -> Response = { request, _ in
            // Elsewhere than on the loop, which goes on receiving: the thread sanitizer would see a race.
            let reader = Task.detached {
                var pieces = request.body.makeAsyncIterator()
                var counts = [request.body.trailers.count]
                while (try await pieces.next()) != nil { counts.append(request.body.trailers.count) }
                return counts + [request.body.trailers.count]
            }
            return .text(try await reader.value.map(String.init).joined(separator: " "))
        }
        app.add(RouteDeclaration(.post, "/", on: kind.placement, use: handler))
        try await app.test { client async throws in
            let responses = try await client.exchange(
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                    + "2\r\nab\r\n0\r\nX-Sum: 12\r\n\r\n"
            )
            #expect(responses.map(\.text) == ["0 0 1"])
        }
    }

    @Test(arguments: HandlerKind.asynchronous)
    func `a body is read once`(kind: HandlerKind) async throws {
        let app = makeApp()
        let handler: @Sendable (Request, RequestContext) async throws -> Response = { request, _ in
            let first = try await request.body.collect()
            let second = try await request.body.collect()
            return .text("\(first.count) \(second.count)")
        }
        app.add(RouteDeclaration(.post, "/", on: kind.placement, use: handler))
        try await app.test { client async throws in
            #expect(try await client.post("/", body: [1, 2, 3]).text == "3 0")
        }
    }

    @Test func `an asynchronous handler that does not await its body is 500`() async throws {
        let app = makeApp()
        let notWaiting: @Sendable (Request) throws -> [UInt8] = { try $0.body.collect() }
        app.post("/") { request, _ in
            await Task.yield()
            return .bytes(try notWaiting(request))
        }
        try await app.test { client async throws in
            #expect(try await client.post("/", body: [1]).status == 500)
        }
    }

    @Test(arguments: HandlerKind.allCases, ["x\r\n", "2\r\nabc", "2;a=\"\n\r\nab\r\n", "-1\r\n"])
    func `a body that is no chunked coding is 400, and the connection ends`(
        kind: HandlerKind,
        coding: String
    ) async throws {
        let app = makeApp()
        app.handleBody(kind, "/") { body, _ in .bytes(body) }
        try await app.test { client async throws in
            let responses = try await client.exchange(
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\(coding)"
            )
            #expect(responses.map(\.status) == [400])
            #expect(responses.first?["Connection"] == "close")
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `a client that expects 100 Continue gets it before it sends its body`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.handleBody(kind, "/") { body, _ in .bytes(body) }
        try await app.test { client async throws in
            let responses = try await client.exchange(
                "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
            )
            #expect(responses.last?.text == "hi")
            // The body came with the head: an asynchronous handler finds it there and asks for nothing.
            #expect(responses.dropLast().allSatisfy { $0.status == 100 })
        }
    }

    @Test(arguments: HandlerKind.asynchronous)
    func `a handler that does not want the body does not ask for it`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.handle(kind, "/", method: .post) { _, _ in .text("no, thanks", status: .forbidden) }
        try await app.test { client async throws in
            let responses = try await client.exchange(
                "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n"
            )
            #expect(responses.map(\.status) == [403])
            #expect(responses.first?["Connection"] == "close")
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `a body that nobody reads is thrown away, and the next request is answered`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.handle(kind, "/", method: .post) { _, _ in .text("unread") }
        app.handle(kind, "/next") { _, _ in .text("next") }
        try await app.test { client async throws in
            for body in [
                "Content-Length: 5000\r\n\r\n" + String(repeating: "x", count: 5000),
                "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
            ] {
                let responses = try await client.exchange(
                    "POST / HTTP/1.1\r\nHost: h\r\n\(body)GET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
                )
                #expect(responses.map(\.text) == ["unread", "next"])
            }
        }
    }

    @Test(arguments: [HandlerKind.async, .asyncOnWorkers])
    func `a request that is kept reads its body as broken off`(kind: HandlerKind) async throws {
        let app = makeApp()
        let kept = KeptRequests()
        app.handle(kind, "/", method: .post) { request, _ in
            kept.append(request)
            return .text("")
        }
        try await app.test { client async throws in
            _ = try await client.exchange(
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf"
            )
            let request = try #require(kept.all.first)
            await #expect(throws: RequestBodyError.self) { _ = try await request.body.collect() }
            kept.removeAll()
        }
    }
}
