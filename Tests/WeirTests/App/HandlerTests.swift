// SPDX-License-Identifier: Apache-2.0
// What handlers of each kind answer, and where they run.

import Logging
import Testing
import Weir
import WeirTestSupport

@Suite struct HandlerTests {
    private static let secret = "s3cr3t-connection-string"

    private struct Failure: Error {
        let text = HandlerTests.secret
    }

    @Test(arguments: HandlerKind.allCases)
    func `a handler of each kind answers`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.handle(kind, "/hello") { _, _ in .text("hello\n") }
        try await app.test { client async throws in
            let response = try await client.get("/hello")
            #expect(response.status == 200)
            #expect(response.text == "hello\n")
            #expect(response.headers["Content-Type"] == "text/plain; charset=utf-8")
            #expect(response.headers["Content-Length"] == "6")
            #expect(response.headers["Connection"] == "close")
        }
    }

    @Test(arguments: [
        (HandlerKind.loop, "weir-loop-0"), (.workers, "weir-worker"), (.async, "weir-loop-0"),
        (.asyncOnWorkers, "weir-worker"),
    ])
    func `a handler runs where it was declared to`(kind: HandlerKind, thread: String) async throws {
        let app = makeApp()
        app.handle(kind, "/thread") { _, _ in .text(threadName()) }
        try await app.test { client async throws in
            #expect(try await client.get("/thread").text == thread)
        }
    }

    @Test func `an asynchronous handler comes back to its loop after each suspension`() async throws {
        let app = makeApp()
        app.get("/threads") { _, context in
            var names = [threadName()]
            await Task.yield()
            names.append(threadName())
            await context.yield()
            names.append(threadName())
            try await context.sleep(for: .milliseconds(1))
            names.append(threadName())
            try await Task.sleep(for: .milliseconds(1))
            names.append(threadName())
            async let child = threadName()
            names.append(await child)
            return .text(Set(names).joined(separator: ","))
        }
        try await app.test { client async throws in
            #expect(try await client.get("/threads").text == "weir-loop-0")
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `an HTTPError becomes a problem document that says what it says`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.handle(kind, "/teapot") { _, _ in
            throw HTTPError(Status(418), "short \"and\" stout\n", headers: ["X-Spout": "left"])
        }
        try await app.test { client async throws in
            let response = try await client.get("/teapot", headers: ["X-Request-Id": "id-1"])
            #expect(response.status == 418)
            #expect(response.headers["X-Spout"] == "left")
            #expect(response.headers["Content-Type"] == "application/problem+json")
            let problem = try ProblemDocument(response)
            #expect(problem.status == 418)
            #expect(problem.detail == "short \"and\" stout\n")
            #expect(problem.requestID == "id-1")
            #expect(problem.type == "about:blank")
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `another error is 500 without its text, and logged with the request's id`(kind: HandlerKind) async throws {
        let log = CapturedLog()
        let app = makeApp(log: log)
        app.handle(kind, "/fails") { _, _ in throw Failure() }
        try await app.test { client async throws in
            let answer = try await client.exchange(
                Array("GET /fails HTTP/1.1\r\nHost: a\r\nX-Request-Id: id-2\r\nConnection: close\r\n\r\n".utf8)
            )
            let response = try #require(try WireResponse.all(in: answer).first)
            #expect(response.status == 500)
            let text = String(decoding: answer, as: UTF8.self)
            #expect(!text.contains(Self.secret))
            #expect(!text.contains("Failure"))
        }
        let entry = try #require(log.entry("a handler failed"))
        #expect(entry.level == .error)
        #expect(entry.metadata["request_id"] == "id-2")
        #expect(entry.metadata["route"] == "/fails")
        #expect(entry.metadata["error"]?.contains(Self.secret) == true)
    }

    @Test(arguments: HandlerKind.allCases)
    func `a parameter that is missing or has a wrong form is 400`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.handle(kind, "/users/:id") { request, _ in
            let id = try request.parameter("id", as: Int.self)
            if id == 0 { _ = try request.parameter("name") }
            return .text("\(id + 1)")
        }
        try await app.test { client async throws in
            #expect(try await client.get("/users/41").text == "42")
            let wrong = try await client.get("/users/x")
            #expect(wrong.status == 400)
            #expect(try ProblemDocument(wrong).detail == "the parameter id has a wrong form")
            let missing = try await client.get("/users/0")
            #expect(missing.status == 400)
            #expect(try ProblemDocument(missing).detail == "there is no parameter name")
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `a body reaches a handler of each kind, with a length or in chunks`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.handleBody(kind, "/echo") { body, _ in .bytes(body) }
        try await app.test { client async throws in
            for count in [0, 1, 1000, 70_000, 1_000_000] {
                let body = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
                let response = try await client.post("/echo", body: body)
                #expect(isEqual(response.body, body), "\(count) bytes")
            }
            let chunked = try await client.exchange(
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                    + "3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n"
            )
            #expect(chunked.map(\.text) == ["abc0123456789"])
        }
    }

    @Test(arguments: [HandlerKind.workers, .asyncOnWorkers])
    func `what finds the worker queue full is 503 with a Retry-After`(kind: HandlerKind) async throws {
        let app = makeApp {
            $0.workersMax = .exactly(1)
            $0.workersQueueMax = 1
        }
        let gate = Gate()
        app.handle(kind, "/block") { _, _ in
            gate.pass()
            return .text("passed")
        }
        try await app.test { client async throws in
            let refused = Notes()
            let send: @Sendable () async throws -> Int = {
                let response = try await client.get("/block")
                if response.status == 503 { refused.add(response.headers["Retry-After"] ?? "nil") }
                return response.status
            }
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                group.addTask { try await send() }
                try #require(await eventuallyTrue { gate.waitingCount == 1 })
                // One of these waits in the queue, the others are turned away at once.
                for _ in 0..<5 { group.addTask { try await send() } }
                #expect(await eventuallyTrue { refused.all.count == 4 })
                gate.open()
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.sorted() == [200, 200, 503, 503, 503, 503])
            #expect(refused.all == ["1", "1", "1", "1"])
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `a request that is kept beyond its handler still reads its own head`(kind: HandlerKind) async throws {
        let app = makeApp()
        let kept = KeptRequests()
        app.handle(kind, "/keep/:id") { request, _ in
            kept.append(request)
            return .text("kept")
        }
        try await app.test { client async throws in
            for id in 0..<20 { #expect(try await client.get("/keep/\(id)?q=\(id)").status == 200) }
            for (id, request) in kept.all.enumerated() {
                #expect(request.path == "/keep/\(id)")
                #expect(try request.parameter("id") == "\(id)")
                #expect(request.query["q"] == "\(id)")
            }
            kept.removeAll()
        }
    }
}
