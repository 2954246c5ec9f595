// SPDX-License-Identifier: Apache-2.0
// Work that handlers leave behind, through the whole engine.

import Logging
import ServiceLifecycle
import Testing
import Weir
import WeirTestSupport

@Suite(.timeLimit(.minutes(2))) struct BackgroundTests {
    private struct Broken: Error {}

    private static func app(_ log: CapturedLog, _ change: (inout Settings) -> Void = { _ in }) -> App {
        makeApp(log: log) {
            $0.listen = [.tcp(host: "127.0.0.1", port: 0)]
            $0.adminListen = [.tcp(host: "127.0.0.1", port: 0)]
            change(&$0)
        }
    }

    private static func get(_ address: String?, _ path: String) async throws -> WireResponse {
        let client = try RawClient(try #require(address))
        client.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: id\(path)\r\nConnection: close\r\n\r\n")
        return try #require(try await WireResponse.all(in: client.receiveToEnd()).first)
    }

    private static func metricsPage(_ running: RunningApp) async throws -> String {
        try await get(running.log.entry("serving")?.metadata["admin"], "/metrics").text
    }

    /// Waits until the engine has seen the last of its clients.
    private static func waitForNoConnection(_ running: RunningApp) async throws {
        while try await !metricsPage(running).contains("\nweir_connections_open 0\n") {}
    }

    /// The numbers of background work as /metrics says them, by what stands before the value.
    private static func metrics(_ running: RunningApp) async throws -> [String: Int] {
        let samples = try await metricsPage(running).split(separator: "\n").filter { $0.hasPrefix("weir_background_") }
        return Dictionary(
            uniqueKeysWithValues: samples.compactMap { sample in
                let parts = sample.dropFirst("weir_background_".count).split(separator: " ")
                return Int(parts[1]).map { (String(parts[0]), $0) }
            }
        )
    }

    private static func counts(
        queued: Int = 0,
        running: Int = 0,
        finished: Int = 0,
        failed: Int = 0,
        dropped: Int = 0,
        refused: Int = 0
    ) -> [String: Int] {
        [
            "queued": queued, "running": running, #"total{outcome="finished"}"#: finished,
            #"total{outcome="failed"}"#: failed, #"total{outcome="dropped"}"#: dropped,
            #"total{outcome="refused"}"#: refused,
        ]
    }

    @Test(arguments: HandlerKind.allCases)
    func `it begins when the answer is sent, and the answer does not wait for it`(kind: HandlerKind) async throws {
        let app = makeApp()
        let notes = Notes()
        let gate = Gate()
        app.handle(kind, "/") { _, context in
            try context.background {
                notes.add("work on \(threadName())")
                gate.pass()
                notes.add("done")
            }
            notes.add("handler")
            return .text("answer")
        }
        try await app.test { client async throws in
            #expect(try await client.get("/").text == "answer")
            #expect(await eventuallyTrue { gate.waitingCount == 1 })
            #expect(notes.all == ["handler", "work on weir-worker"])
            gate.open()
            #expect(await eventuallyTrue { notes.all.last == "done" })
        }
    }

    @Test func `a handler that holds on keeps it back`() async throws {
        let app = makeApp()
        let notes = Notes()
        let gate = Gate()
        app.get("/", on: .workers) { _, context in
            try context.background { notes.add("work") }
            gate.pass()
            notes.add("handler")
            return .text("")
        }
        try await app.test { client async throws in
            async let answer = client.get("/")
            #expect(await eventuallyTrue { gate.waitingCount == 1 })
            #expect(notes.all.isEmpty)
            gate.open()
            _ = try await answer
            #expect(await eventuallyTrue { notes.all == ["handler", "work"] })
        }
    }

    private final class Sentinel: Sendable {
        private let notes: Notes

        init(_ notes: Notes) { self.notes = notes }
        deinit { notes.add("freed") }
    }

    private enum SentinelKey: RequestContextKey { typealias Value = Sentinel }

    @Test(arguments: HandlerKind.allCases)
    func `it does not hold its request`(kind: HandlerKind) async throws {
        let app = makeApp()
        let gate = Gate()
        let notes = Notes()
        app.handle(kind, "/") { _, context in
            context[SentinelKey.self] = Sentinel(notes)
            try context.background { gate.pass() }
            return .text("")
        }
        try await app.test { client async throws in
            _ = try await client.get("/")
            #expect(await eventuallyTrue { gate.waitingCount == 1 && notes.all == ["freed"] })
            gate.open()
        }
    }

    @Test func `a request that ended by its deadline has left it too`() async throws {
        let app = makeApp { $0.deadline = .milliseconds(1) }
        let notes = Notes()
        app.get("/") { _, context in
            try context.background { notes.add("work") }
            try await context.sleep(for: .seconds(3600))
            return .text("never")
        }
        try await app.test { client async throws in
            #expect(try await client.get("/").status == 504)
            #expect(await eventuallyTrue { notes.all == ["work"] })
        }
    }

    @Test func `a handler that throws has left it too, and what it throws itself is logged`() async throws {
        let log = CapturedLog()
        let app = Self.app(log)
        app.get("/orders/:id") { _, context in
            try context.background { throw Broken() }
            try context.background {}
            throw HTTPError(.conflict)
        }
        let running = try await RunningApp(app, log: log)
        #expect(try await Self.get(running.addresses.first, "/orders/7").status == 409)
        #expect(await eventuallyTrue { log.entry("background work failed") != nil })
        let entry = try #require(log.entry("background work failed"))
        #expect(entry.level == .error)
        #expect(entry.metadata == ["request_id": "id/orders/7", "route": "/orders/:id", "error": "Broken()"])
        try await running.stop()
        #expect(log.entry("drained") != nil)
    }

    @Test func `a full queue is the handler's to answer, and else 503`() async throws {
        let log = CapturedLog()
        let app = Self.app(log) {
            $0.backgroundTasksMax = .exactly(1)
            $0.backgroundQueueMax = 2
        }
        let gate = Gate()
        app.get("/leave", on: .loop) { _, context in
            try context.background { gate.pass() }
            return .text("left")
        }
        app.get("/try", on: .loop) { _, context in
            do throws(BackgroundQueueFull) {
                try context.background { gate.pass() }
                return .text("left")
            } catch {
                return .text("full")
            }
        }
        let running = try await RunningApp(app, log: log)
        let address = running.addresses.first
        #expect(try await Self.get(address, "/leave").status == 200)
        // The first has left the queue before the others fill it.
        #expect(await eventuallyTrue { gate.waitingCount == 1 })
        #expect(try await Self.get(address, "/leave").status == 200)
        #expect(try await Self.get(address, "/try").text == "left")
        let refused = try await Self.get(address, "/leave")
        #expect(refused.status == 503)
        #expect(refused["Retry-After"] == "1")
        #expect(refused.text.contains(#""reason":"queue_full""#))
        #expect(try await Self.get(address, "/try").text == "full")
        #expect(try await Self.metrics(running) == Self.counts(queued: 2, running: 1, refused: 2))
        gate.open()
        #expect(await eventuallyTrue { gate.waitingCount == 3 })
        #expect(try await Self.get(address, "/try").text == "left")
        try await running.stop()
    }

    @Test func `pieces begin in the order in which they were left, and no more at once than may`() async throws {
        let app = makeApp { $0.backgroundTasksMax = .exactly(1) }
        let notes = Notes()
        app.get("/", on: .loop) { _, context in
            for index in 0..<100 {
                try context.background {
                    notes.add("\(index)")
                    await Task.yield()
                    notes.add("\(index)")
                }
            }
            return .text("")
        }
        try await app.test { client async throws in
            _ = try await client.get("/")
            #expect(await eventuallyTrue { notes.all.count == 200 })
            #expect(notes.all == (0..<100).flatMap { ["\($0)", "\($0)"] })
        }
    }

    @Test func `the drain waits for it`() async throws {
        let log = CapturedLog()
        let app = Self.app(log) { $0.backgroundTasksMax = .exactly(1) }
        let gate = Gate()
        let notes = Notes()
        app.get("/", on: .loop) { _, context in
            try context.background { gate.pass() }
            try context.background { notes.add("the last") }
            return .text("")
        }
        let running = try await RunningApp(app, log: log)
        #expect(try await Self.get(running.addresses.first, "/").status == 200)
        #expect(await eventuallyTrue { gate.waitingCount == 1 })
        await running.group.triggerGracefulShutdown()
        #expect(await eventuallyTrue { log.entry("draining") != nil })
        // The admin port answers until the drain is over.
        #expect(try await Self.metrics(running) == Self.counts(queued: 1, running: 1))
        #expect(log.entry("drained") == nil)
        gate.open()
        try await running.stop()
        #expect(notes.all == ["the last"])
        #expect(log.entries.map(\.message) == ["serving", "draining", "drained"])
    }

    @Test func `what the drain cannot wait for is cancelled, and one line says how much`() async throws {
        let log = CapturedLog()
        let app = Self.app(log) {
            $0.backgroundTasksMax = .exactly(2)
            $0.drainTimeout = .milliseconds(1)
        }
        let notes = Notes()
        app.get("/", on: .loop) { _, context in
            for _ in 0..<5 {
                try context.background {
                    notes.add("begun")
                    do {
                        try await Task.sleep(for: .seconds(3600))
                    } catch {
                        notes.add("cancelled")
                        throw error
                    }
                }
            }
            return .text("")
        }
        let running = try await RunningApp(app, log: log)
        #expect(try await Self.get(running.addresses.first, "/").status == 200)
        #expect(await eventuallyTrue { notes.all == ["begun", "begun"] })
        try await Self.waitForNoConnection(running)
        try await running.stop()
        #expect(await eventuallyTrue { notes.all == ["begun", "begun", "cancelled", "cancelled"] })
        #expect(
            log.entries.map(\.message)
                == ["serving", "draining", "drain timed out", "background work was dropped"]
        )
        #expect(log.entry("drain timed out")?.metadata == ["connections": "0", "background_work": "5"])
        #expect(log.entry("background work was dropped")?.metadata == ["queued": "3", "running": "2"])
    }

    @Test func `who asks for a drain is told what is left`() async throws {
        let log = CapturedLog()
        let app = Self.app(log) { $0.drainTimeout = .milliseconds(1) }
        let gate = Gate()
        app.get("/", on: .loop) { _, context in
            try context.background { gate.pass() }
            return .text("")
        }
        let running = try await RunningApp(app, log: log)
        #expect(try await Self.get(running.addresses.first, "/").status == 200)
        #expect(await eventuallyTrue { gate.waitingCount == 1 })
        try await Self.waitForNoConnection(running)
        let late = try await Self.get(log.entry("serving")?.metadata["admin"], "/drain")
        #expect(late.status == 503)
        #expect(late.text == "drain timed out, connections left: 0, background work left: 1\n")
        // Nothing was dropped: what ends by itself still ends well.
        gate.open()
        var counts: [String: Int] = [:]
        while counts[#"total{outcome="finished"}"#] != 1 { counts = try await Self.metrics(running) }
        #expect(counts == Self.counts(finished: 1))
        try await running.stop()
        #expect(log.entry("background work was dropped") == nil)
    }
}
