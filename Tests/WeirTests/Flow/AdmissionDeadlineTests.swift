// SPDX-License-Identifier: Apache-2.0
// Deadlines that pass in the queue or while a request runs: one answer, and each place is given back once, when its
// request no longer runs.

import Testing
import Weir
import WeirMetrics
import WeirTestSupport

@Suite(.timeLimit(.minutes(2))) struct AdmissionDeadlineTests {
    private static let short = RouteOption.deadline(.milliseconds(30))

    @Test(arguments: HandlerKind.allCases)
    func `a deadline that passes in the queue is one 504, and the handler does not run`(kind: HandlerKind) async throws
    {
        let hold = Hold()
        let notes = Notes()
        let app = makeHeldApp(hold)
        app.handle(kind, "/", [Self.short]) { _, _ in
            notes.add("ran")
            return .text("ran")
        }
        app.handle(.loop, "/next", [.unqueued]) { _, _ in .text("next") }
        try await app.test { client async throws in
            async let held = client.get("/hold")
            defer { hold.gate.open() }
            try #require(await client.untilExecuting(1))
            let responses = try await client.exchange(
                "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
            )
            #expect(responses.map(\.status) == [504, 200])
            #expect(client.pod.queued == 0 && client.pod.executing == 1)
            #expect(client.rejected(.deadlineExceeded) == 1 && client.count(.timeoutsDeadline) == 1)
            hold.gate.open()
            #expect(try await held.text == "held")
            #expect(await client.untilQuiet())
        }
        #expect(notes.all.isEmpty)
    }

    @Test(arguments: [HandlerKind.async, .asyncOnWorkers])
    func `a deadline that passes in the queue in front of a body is one 504`(kind: HandlerKind) async throws {
        let hold = Hold()
        let app = makeHeldApp(hold)
        app.handleBody(kind, "/", [Self.short]) { body, _ in .text("\(body.count)") }
        try await app.test { client async throws in
            async let held = client.get("/hold")
            defer { hold.gate.open() }
            try #require(await client.untilExecuting(1))
            let raw = try client.raw()
            raw.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nthe first of it")
            let responses = try WireResponse.all(in: await raw.receiveToEnd())
            #expect(responses.map(\.status) == [504])
            #expect(responses.first?["Connection"] == "close")
            #expect(client.pod.queued == 0 && client.pod.executing == 1)
            hold.gate.open()
            #expect(try await held.text == "held")
            #expect(await client.untilQuiet())
        }
    }

    @Test(arguments: [HandlerKind.workers, .async, .asyncOnWorkers])
    func `a handler that runs on behind its 504 keeps its place until it ends`(kind: HandlerKind) async throws {
        let gate = Gate()
        let app = makeApp {
            $0.loops = .exactly(1)
            $0.admission.concurrency = .exactly(1)
            $0.admission.queueMax = .exactly(1)
        }
        if kind == .workers {
            app.handle(kind, "/on", [Self.short]) { _, _ in
                gate.pass()
                return .text("too late")
            }
        } else {
            let handler: @Sendable (Request, RequestContext) async throws -> Response = { _, _ in
                // Looks at no cancellation.
                while !gate.hasOpened { await Task.yield() }
                return .text("too late")
            }
            app.add(RouteDeclaration(.get, "/on", on: kind.placement, [Self.short], use: handler))
        }
        app.handle(.loop, "/next") { _, _ in .text("next") }
        try await app.test { client async throws in
            #expect(try await client.get("/on").status == 504)
            #expect(client.pod.executing == 1 && client.executingCount == 1)
            async let next = client.get("/next")
            #expect(await client.untilQueued(1))
            #expect(client.pod.executing == 1)
            gate.open()
            #expect(try await next.text == "next")
            #expect(await client.untilQuiet())
        }
    }

    @Test(arguments: [HandlerKind.workers, .async, .asyncOnWorkers])
    func `a response that flows beyond its deadline leaves the pool`(kind: HandlerKind) async throws {
        let gate = Gate()
        let begun = Gate()
        let app = makeApp {
            $0.admission.concurrency = .exactly(1)
            $0.admission.queueMax = .exactly(1)
        }
        // Long enough that a slow machine begins in time.
        app.handle(kind, "/stream", [.deadline(.milliseconds(500))]) { _, _ in
            .stream { writer in
                try await writer.write("a")
                begun.open()
                while !gate.hasOpened { try await Task.sleep(for: .milliseconds(1)) }
                try await writer.write("b")
            }
        }
        app.handle(.loop, "/next") { _, _ in .text("next") }
        try await app.test { client async throws in
            async let stream = client.get("/stream")
            defer { gate.open() }
            try #require(await eventuallyTrue { begun.hasOpened })
            async let next = client.get("/next")
            #expect(try await next.text == "next")
            #expect(!gate.hasOpened)
            #expect(await client.untilQuiet())
            gate.open()
            #expect(try await stream.text == "ab")
            #expect(await client.untilQuiet())
        }
    }

    @Test func `a request that cannot be served before its deadline is turned away on arrival`() async throws {
        let hold = Hold()
        let app = makeHeldApp(hold)
        app.handle(.workers, "/slow") { _, context in
            let began = ContinuousClock.now
            while ContinuousClock.now - began < .milliseconds(60) {}
            return .text("slow")
        }
        app.handle(.loop, "/short", [.deadline(.milliseconds(61))]) { _, _ in .text("short") }
        try await app.test { client async throws in
            // What the pool knows of how long an execution takes, it has from this one.
            #expect(try await client.get("/slow").text == "slow")
            async let held = client.get("/hold")
            defer { hold.gate.open() }
            try #require(await client.untilExecuting(1))
            async let first = client.get("/slow")
            #expect(await client.untilQueued(1))
            // Two executions of 60 ms stand before it, and it has 61.
            let response = try await client.get("/short")
            #expect(response.status == 503)
            #expect(response.text.contains(#""reason":"deadline_unmeetable""#))
            #expect(response.headers["Retry-After"] != nil)
            #expect(client.rejected(.deadlineUnmeetable) == 1)
            hold.gate.open()
            #expect(try await (held.status, first.status) == (200, 200))
            #expect(await client.untilQuiet())
        }
    }
}
