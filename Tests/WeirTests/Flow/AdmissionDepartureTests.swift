// SPDX-License-Identifier: Apache-2.0
// Clients that leave while their request waits or runs: no place is lost, none is given back twice.

import Synchronization
import Testing
import Weir
import WeirEventLoop
import WeirMetrics
import WeirTestSupport

@Suite(.timeLimit(.minutes(2))) struct AdmissionDepartureTests {
    /// How a client leaves.
    enum Departure: CaseIterable, Sendable {
        case closes
        case endsSending
    }

    /// What a client has sent when it leaves.
    static let sent = [
        "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /a HT",
        "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf",
        "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nwhole",
        "POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    ]

    @Test(arguments: sent, Departure.allCases)
    func `a client that leaves the queue takes nobody's place`(sent: String, departure: Departure) async throws {
        let hold = Hold()
        let notes = Notes()
        let app = makeHeldApp(hold)
        app.handle(.async, "/a") { _, _ in
            notes.add("ran")
            return .text("ran")
        }
        app.handleBody(.async, "/body") { _, _ in
            notes.add("ran")
            return .text("ran")
        }
        app.handle(.loop, "/last") { _, _ in .text("last") }
        try await app.test { client async throws in
            async let held = client.get("/hold")
            defer { hold.gate.open() }
            try #require(await client.untilExecuting(1))
            let raw = try client.raw()
            raw.send(sent)
            #expect(await client.untilQueued(1))
            async let last = client.get("/last")
            #expect(await client.untilQueued(2))
            switch departure {
            case .closes: raw.close()
            case .endsSending: raw.endSending()
            }
            #expect(await client.untilQueued(1))
            #expect(client.pod.executing == 1 && client.executingCount == 1)
            #expect(await eventuallyTrue { client.count(.requestsCancelled) == 1 })
            hold.gate.open()
            #expect(try await (held.text, last.text) == ("held", "last"))
            #expect(await client.untilQuiet())
        }
        #expect(notes.all.isEmpty)
    }

    @Test(arguments: [HandlerKind.async, .asyncOnWorkers], [1000, 64 << 10, 65 << 10])
    func `who leaves behind a whole body that nobody reads is noticed`(kind: HandlerKind, byteCount: Int) async throws {
        let app = makeApp()
        let handler: @Sendable (Request, RequestContext) async throws -> Response = { _, context in
            while !context.isCancelled { await Task.yield() }
            return .text("nobody reads this")
        }
        app.add(RouteDeclaration(.post, "/", on: kind.placement, [], use: handler))
        try await app.test { client async throws in
            let raw = try client.raw()
            let body = String(repeating: "b", count: byteCount)
            raw.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(byteCount)\r\n\r\n\(body)")
            raw.waitUntilTaken()
            raw.close()
            #expect(await eventuallyTrue { client.count(.requestsCancelled) == 1 })
            #expect(await client.untilQuiet())
        }
    }

    @Test(arguments: [HandlerKind.workers, .async, .asyncOnWorkers])
    func `a client that leaves gives its place back when its handler has ended`(kind: HandlerKind) async throws {
        let gate = Gate()
        let app = makeApp { $0.admission.concurrency = .exactly(1) }
        if kind == .workers {
            app.handle(kind, "/") { _, _ in
                gate.pass()
                return .text("nobody reads this")
            }
        } else {
            let handler: @Sendable (Request, RequestContext) async throws -> Response = { _, _ in
                while !gate.hasOpened { await Task.yield() }
                return .text("nobody reads this")
            }
            app.add(RouteDeclaration(.get, "/", on: kind.placement, [], use: handler))
        }
        try await app.test { client async throws in
            let raw = try client.raw()
            raw.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            try #require(await client.untilExecuting(1))
            raw.close()
            #expect(await eventuallyTrue { client.count(.requestsCancelled) == 1 })
            #expect(client.pod.executing == 1)
            gate.open()
            #expect(await client.untilQuiet())
        }
    }

    @Test(arguments: [HandlerKind.loop, .workers, .async])
    func `a client that leaves in the middle of a long answer gives its place back`(kind: HandlerKind) async throws {
        let app = makeApp { $0.admission.concurrency = .exactly(1) }
        let body = [UInt8](repeating: 7, count: 32 << 20)
        app.handle(kind, "/") { _, _ in .bytes(body, contentType: "application/octet-stream") }
        app.handle(.loop, "/next") { _, _ in .text("next") }
        try await app.test { client async throws in
            for _ in 0..<3 {
                let raw = try client.raw()
                raw.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                #expect(await raw.receive().count > 0)
                #expect(client.pod.executing == 1)
                raw.close()
                #expect(await client.untilQuiet())
            }
            #expect(try await client.get("/next").text == "next")
        }
    }

    @Test func `a client that leaves while an endpoint answers gives its place back`() async throws {
        let gate = Gate()
        try await withUpstream(
            { upstream in
                upstream.handle(.workers, "/*path") { _, _ in
                    gate.pass()
                    return .text("nobody reads this")
                }
            },
            gateway: { app, upstream in
                app.proxy("/up/*path", to: upstream)
                app.handle(.loop, "/next") { _, _ in .text("next") }
            },
            settings: { $0.admission.concurrency = .exactly(1) },
            test: { client async throws in
                for round in 1...3 {
                    let raw = try client.raw()
                    raw.send("GET /up/x HTTP/1.1\r\nHost: h\r\n\r\n")
                    #expect(await eventuallyTrue { gate.waitingCount == round })
                    #expect(client.pod.executing == 1)
                    async let next = client.get("/next")
                    #expect(await client.untilQueued(1))
                    raw.close()
                    #expect(try await next.text == "next")
                    #expect(await client.untilQuiet())
                }
                gate.open()
            }
        )
    }

    /// Two loops fill and leave one pool with one place: what is granted on one is given up on the other.
    @Test func `grants that race with clients that leave lose no place`() async throws {
        let app = makeApp {
            $0.loops = .exactly(2)
            $0.admission.concurrency = .exactly(1)
            $0.admission.queueMax = .exactly(64)
        }
        app.handle(.async, "/") { _, _ in .text("ran") }
        app.handle(.workers, "/work") { _, _ in .text("ran") }
        app.handleBody(.async, "/body") { _, _ in .text("ran") }
        try await app.test { client async throws in
            var random = SeededGenerator(seed: 3)
            for _ in 0..<300 {
                var clients: [RawClient] = []
                for _ in 0..<8 {
                    let raw = try client.raw(on: Int.random(in: 0..<2, using: &random))
                    raw.send(
                        [
                            "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
                            "GET /work HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
                            "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nbody!",
                            "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nbo",
                        ].randomElement(using: &random)!
                    )
                    clients.append(raw)
                }
                for raw in clients.shuffled(using: &random) { raw.close() }
            }
            #expect(await client.untilQuiet())
            for loop in 0..<2 {
                let text = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
                #expect(
                    try WireResponse.all(in: await client.exchange(Array(text.utf8), on: loop)).map(\.text) == ["ran"]
                )
            }
            #expect(await client.untilQuiet())
        }
    }
}
