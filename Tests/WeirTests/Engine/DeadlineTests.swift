// SPDX-License-Identifier: Apache-2.0
// What ends a request before its handler does: its deadline, and its client.

import Testing
import Weir
import WeirMetrics
import WeirTestSupport

@Suite(.timeLimit(.minutes(2))) struct DeadlineTests {
    private static let short = RouteOption.deadline(.milliseconds(20))

    /// A handler that works until its request is cancelled, and notes how it learned of it.
    private static func waiting(_ kind: HandlerKind, _ notes: Notes) -> RouteDeclaration {
        switch kind {
        case .loop, .workers:
            let handler: @Sendable (Request, RequestContext) throws -> Response = { _, context in
                let gate = Gate()
                context.onCancel { gate.open() }
                gate.pass()
                notes.add("cancelled: \(context.isCancelled), remaining: \(context.remaining)")
                return .text("too late")
            }
            return RouteDeclaration(.get, "/wait", on: .workers, [short], use: handler)
        case .async, .asyncOnWorkers:
            let handler: @Sendable (Request, RequestContext) async throws -> Response = { _, context in
                await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                    context.onCancel { continuation.resume() }
                }
                notes.add("cancelled: \(context.isCancelled && Task.isCancelled), remaining: \(context.remaining)")
                context.onCancel { notes.add("at once") }
                return .text("too late")
            }
            return RouteDeclaration(.get, "/wait", on: kind.placement, [short], use: handler)
        }
    }

    @Test(arguments: [HandlerKind.workers, .async, .asyncOnWorkers])
    func `past its deadline a request is 504, its handler is cancelled, and the connection goes on`(
        kind: HandlerKind
    ) async throws {
        let app = makeApp()
        let notes = Notes()
        app.add(Self.waiting(kind, notes))
        app.handle(kind, "/next") { _, _ in .text("next") }
        try await app.test { client async throws in
            let responses = try await client.exchange(
                "GET /wait HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
            )
            #expect(responses.map(\.status) == [504, 200])
            #expect(responses.last?.text == "next")
            let count = kind == .workers ? 1 : 2
            #expect(await eventuallyTrue { notes.all.count == count })
            #expect(notes.all.first == "cancelled: true, remaining: 0.0 seconds")
        }
    }

    @Test func `the setting's deadline holds for a route without its own`() async throws {
        let app = makeApp { $0.deadline = .milliseconds(20) }
        app.get("/wait") { _, context in
            try await context.sleep(for: .seconds(3600))
            return .text("never")
        }
        try await app.test { client async throws in
            let response = try await client.get("/wait")
            #expect(response.status == 504)
            #expect(try ProblemDocument(response).title == "Gateway Timeout")
        }
    }

    @Test(arguments: HandlerKind.asynchronous)
    func `a sleeping handler wakes with a CancellationError when the deadline passes`(kind: HandlerKind) async throws {
        let app = makeApp()
        let notes = Notes()
        let handler: @Sendable (Request, RequestContext) async throws -> Response = { _, context in
            do {
                try await context.sleep(for: .seconds(3600))
            } catch {
                notes.add("\(type(of: error))")
                throw error
            }
            return .text("never")
        }
        app.add(RouteDeclaration(.get, "/", on: kind.placement, [Self.short], use: handler))
        try await app.test { client async throws in
            #expect(try await client.get("/").status == 504)
            #expect(await eventuallyTrue { !notes.all.isEmpty })
        }
        #expect(notes.all == ["CancellationError"])
    }

    @Test(arguments: [HandlerKind.workers, .asyncOnWorkers])
    func `the deadline holds while a request waits for a worker`(kind: HandlerKind) async throws {
        let app = makeApp { $0.workersMax = .exactly(1) }
        let gate = Gate()
        let notes = Notes()
        app.handle(.workers, "/block") { _, _ in
            gate.pass()
            return .text("passed")
        }
        app.handle(kind, "/queued", [Self.short]) { _, _ in
            notes.add("ran")
            return .text("ran")
        }
        try await app.test { client async throws in
            async let blocked = client.get("/block")
            try #require(await eventuallyTrue { gate.waitingCount == 1 })
            #expect(try await client.get("/queued").status == 504)
            gate.open()
            #expect(try await blocked.text == "passed")
        }
        // A synchronous handler that was cancelled before its turn does not run at all.
        if kind == .workers { #expect(notes.all.isEmpty) }
    }

    @Test(arguments: [HandlerKind.async, .asyncOnWorkers, .workers])
    func `the deadline ends at the head: a stream may go on`(kind: HandlerKind) async throws {
        let app = makeApp()
        let handler: @Sendable (Request, RequestContext) throws -> Response = { _, context in
            .stream { writer in
                try await writer.write("a")
                while context.remaining > .zero { try await Task.sleep(for: .milliseconds(1)) }
                try await writer.write("b")
            }
        }
        app.handle(kind, "/", [.deadline(.milliseconds(200))], use: handler)
        try await app.test { client async throws in
            #expect(try await client.get("/").text == "ab")
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `a body that flows does not put off what the client says it waits`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.handleBody(kind, "/", method: .post) { body, _ in .bytes(body) }
        try await app.test { client async throws in
            let wire = try client.raw()
            wire.send("POST / HTTP/1.1\r\nHost: h\r\ngrpc-timeout: 100m\r\nContent-Length: 1000000\r\n\r\n")
            // It never ends, and is never late.
            let isRefused = await eventuallyTrue {
                wire.send("x")
                return client.rejected(.deadlineExceeded) == 1
            }
            #expect(isRefused)
            wire.endSending()
            let answer = String(decoding: await wire.receiveToEnd(), as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 504 "))
        }
    }

    @Test(arguments: [HandlerKind.workers, .async, .asyncOnWorkers])
    func `a client that goes away cancels its request`(kind: HandlerKind) async throws {
        let log = CapturedLog()
        let folder = try ScratchFolder()
        let app = makeApp(log: log) { $0.listen = [.unix(path: "\(folder.path)/s", mode: nil)] }
        let notes = Notes()
        let begun = Notes()
        let waits: @Sendable (Request, RequestContext) async throws -> Response = { _, context in
            begun.add("begun")
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                context.onCancel { continuation.resume() }
            }
            notes.add("\(context.isCancelled)")
            return .text("nobody reads this")
        }
        let blocks: @Sendable (Request, RequestContext) throws -> Response = { _, context in
            begun.add("begun")
            let gate = Gate()
            context.onCancel { gate.open() }
            gate.pass()
            notes.add("\(context.isCancelled)")
            return .text("nobody reads this")
        }
        if kind == .workers {
            app.add(RouteDeclaration(.get, "/", on: .workers, use: blocks))
        } else {
            app.add(RouteDeclaration(.get, "/", on: kind.placement, use: waits))
        }
        let running = try await RunningApp(app, log: log)
        let client = try RawClient("unix:\(folder.path)/s")
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(await eventuallyTrue { !begun.all.isEmpty })
        client.close()
        #expect(await eventuallyTrue { notes.all == ["true"] })
        try await running.stop()
    }

    @Test(arguments: [HandlerKind.async, .asyncOnWorkers])
    func `a client that goes away stops the stream that is written to it`(kind: HandlerKind) async throws {
        let log = CapturedLog()
        let folder = try ScratchFolder()
        let app = makeApp(log: log) { $0.listen = [.unix(path: "\(folder.path)/s", mode: nil)] }
        let notes = Notes()
        app.handle(kind, "/") { _, _ in
            .stream { writer in
                do {
                    while true { try await writer.write([UInt8](repeating: 0, count: 10_000)) }
                } catch {
                    notes.add("\(error is ResponseWriterError || error is CancellationError)")
                    throw error
                }
            }
        }
        let running = try await RunningApp(app, log: log)
        let client = try RawClient("unix:\(folder.path)/s")
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(await client.receive(until: 500_000).count >= 500_000)
        client.close()
        #expect(await eventuallyTrue { notes.all == ["true"] })
        try await running.stop()
    }
}
