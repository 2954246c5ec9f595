// SPDX-License-Identifier: Apache-2.0
// Who runs, who waits, and who is turned away.

import Testing
import Weir
import WeirEventLoop
import WeirFlow
import WeirMetrics

@Suite(.timeLimit(.minutes(2))) struct AdmissionTests {
    /// `body` while `/hold` has the pool's only place, which is then given free; in the end everything is quiet.
    private static func whileHeld(
        _ app: App,
        _ hold: Hold,
        _ body: (TestClient) async throws -> Void
    ) async throws {
        try await app.test { client async throws in
            async let held = client.get("/hold")
            defer { hold.gate.open() }
            try #require(await client.untilExecuting(1))
            do {
                try await body(client)
            } catch {
                hold.gate.open()
                throw error
            }
            hold.gate.open()
            #expect(try await held.text == "held")
            #expect(await client.untilQuiet())
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `a request waits while all places are taken, and then runs`(kind: HandlerKind) async throws {
        let hold = Hold()
        let app = makeHeldApp(hold)
        app.handle(kind, "/") { _, _ in .text("ran") }
        try await app.test { client async throws in
            async let held = client.get("/hold")
            defer { hold.gate.open() }
            try #require(await client.untilExecuting(1))
            async let first = client.get("/")
            async let second = client.get("/")
            #expect(await client.untilQueued(2))
            #expect(client.executingCount == 1)
            hold.gate.open()
            #expect(try await [held, first, second].map(\.text) == ["held", "ran", "ran"])
            #expect(await client.untilQuiet())
            #expect(client.pod.arrived == 3)
        }
    }

    @Test func `requests that come together and do not suspend are not counted as if they ran together`() async throws {
        let gate = Gate()
        let app = makeApp()
        app.get("/gate") { _, _ async in
            gate.pass()
            return .text("")
        }
        app.get("/") { _, _ async in
            let end = LoopClock.monotonic.now + 2_000_000
            while LoopClock.monotonic.now < end {}
            return .text("")
        }
        try await app.test { client async throws in
            let raws = try (0..<40).map { _ in try client.raw() }
            #expect(try await client.get("/").status == 200)
            #expect(await client.untilQuiet())
            let before = (LoopClock.monotonic.now, client.executedNanoseconds)
            let first = try client.raw()
            first.send("GET /gate HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            // The loop is held: what comes now is reported together.
            try #require(await eventuallyTrue { gate.waitingCount == 1 })
            for raw in raws { raw.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n") }
            gate.open()
            for raw in raws { #expect(!(await raw.receiveToEnd()).isEmpty) }
            let after = (LoopClock.monotonic.now, client.executedNanoseconds)
            // One loop executes one handler at a time.
            #expect(after.1 - before.1 <= after.0 - before.0)
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `one more than may wait is turned away with a reason and a time`(kind: HandlerKind) async throws {
        let hold = Hold()
        let app = makeHeldApp(queue: 0, hold)
        app.handle(kind, "/") { _, _ in .text("ran") }
        try await Self.whileHeld(app, hold) { client async throws in
            let response = try await client.get("/")
            #expect(response.status == 503)
            #expect(response.headers["Content-Type"] == "application/problem+json")
            #expect(response.headers["Retry-After"].flatMap { Int($0) }.map { (1...60).contains($0) } == true)
            #expect(response.text.contains(#""detail":"the queue is full","reason":"queue_full""#))
            #expect(try ProblemDocument(response).status == 503)
            #expect(client.rejected(.queueFull) == 1)
        }
    }

    @Test func `a refusal of HEAD has no body, and its connection goes on`() async throws {
        let hold = Hold()
        let app = makeHeldApp(queue: 0, hold)
        app.handle(.loop, "/", method: .head) { _, _ in .text("ran") }
        try await Self.whileHeld(app, hold) { client async throws in
            // A share of the refusals ends its connection, so one of many shows that the others do not.
            var wentOn = false
            for _ in 0..<50 where !wentOn {
                let text = "HEAD / HTTP/1.1\r\nHost: h\r\n\r\nHEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
                let responses = try await client.exchange(text, methods: [.head, .head])
                #expect(responses.allSatisfy { $0.status == 503 && $0.body.isEmpty && $0["Content-Length"] != "0" })
                wentOn = responses.count == 2
            }
            #expect(wentOn)
        }
    }

    @Test func `a refusal in 64 ends its connection, and at most 20 a second do`() async throws {
        let hold = Hold()
        let app = makeHeldApp(queue: 0, hold)
        app.handle(.loop, "/") { _, _ in .text("ran") }
        try await Self.whileHeld(app, hold) { client async throws in
            var closed = 0
            let total = 6_400
            let began = ContinuousClock.now
            var left = total
            while left > 0 {
                let count = min(left, 100)
                let text = String(repeating: "GET / HTTP/1.1\r\nHost: h\r\n\r\n", count: count - 1)
                let last = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
                let responses = try await client.exchange(text + last)
                #expect(responses.allSatisfy { $0.status == 503 })
                if responses.count < count { closed += 1 }
                left -= responses.count
            }
            // 100 draws are expected; the lower bound holds on any machine that takes a fifth of a second.
            #expect(closed >= 1)
            let seconds: Double = (ContinuousClock.now - began) / .seconds(1)
            #expect(Double(closed) <= 1 + 20 * seconds)
        }
    }

    @Test func `the newest of a lower class makes room, and is told`() async throws {
        let hold = Hold()
        let app = makeHeldApp(queue: 2, hold)
        app.handle(.loop, "/low", [.priority(.sheddable)]) { _, _ in .text("low") }
        app.handle(.loop, "/high", [.priority(.critical)]) { _, _ in .text("high") }
        try await app.test { client async throws in
            async let held = client.get("/hold")
            defer { hold.gate.open() }
            try #require(await client.untilExecuting(1))
            let first = try client.raw()
            first.send("GET /low HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            #expect(await client.untilQueued(1))
            async let second = client.get("/low")
            #expect(await client.untilQueued(2))
            async let high = client.get("/high")
            let displaced = try await second
            #expect(displaced.status == 503)
            #expect(displaced.text.contains(#""reason":"queue_full""#))
            #expect(client.pod.displaced == 1 && client.pod.queued == 2)
            #expect(client.rejected(.queueFull) == 1)
            // Nobody makes room for its equal.
            let equal = try await client.get("/low")
            #expect(equal.status == 503)
            hold.gate.open()
            #expect(try await (held.text, high.text) == ("held", "high"))
            #expect(try WireResponse.all(in: await first.receiveToEnd()).map(\.text) == ["low"])
            #expect(await client.untilQuiet())
        }
    }

    @Test func `a displaced request with a body behind it is told, and its connection can go on`() async throws {
        let hold = Hold()
        let app = makeHeldApp(queue: 1, hold)
        app.handleBody(.async, "/low", [.priority(.sheddable)]) { body, _ in .text("\(body.count)") }
        app.handle(.loop, "/high", [.priority(.critical)]) { _, _ in .text("high") }
        try await app.test { client async throws in
            async let held = client.get("/hold")
            defer { hold.gate.open() }
            try #require(await client.untilExecuting(1))
            async let low = client.post("/low", body: [UInt8](repeating: 1, count: 200_000))
            #expect(await client.untilQueued(1))
            async let high = client.get("/high")
            #expect(try await low.status == 503)
            hold.gate.open()
            #expect(try await (held.text, high.text) == ("held", "high"))
            #expect(await client.untilQuiet())
        }
    }

    @Test(arguments: [
        (isTrusted: false, asks: "critical", class: Weir.Priority.default, isServed: false),
        (isTrusted: true, asks: "critical", class: .default, isServed: true),
        (isTrusted: true, asks: "CRITICAL", class: .default, isServed: true),
        (isTrusted: false, asks: "sheddable", class: .critical, isServed: false),
        (isTrusted: false, asks: "urgent", class: .critical, isServed: true),
        (isTrusted: false, asks: "", class: .critical, isServed: true),
    ])
    func `a field lowers a class for anybody, and raises it for trusted proxies`(
        isTrusted: Bool,
        asks: String,
        class: Weir.Priority,
        isServed: Bool
    ) async throws {
        let hold = Hold()
        let app = makeHeldApp(queue: 1, hold) {
            $0.admission.priorityHeader = "x-priority"
            if isTrusted { $0.trustedProxies = ["unix"] }
        }
        app.handle(.loop, "/asked", [.priority(`class`)]) { _, _ in .text("asked") }
        app.handle(.loop, "/other") { _, _ in .text("other") }
        try await app.test { client async throws in
            async let held = client.get("/hold")
            defer { hold.gate.open() }
            try #require(await client.untilExecuting(1))
            async let other = client.get("/other")
            #expect(await client.untilQueued(1))
            async let asked = client.get("/asked", headers: ["X-Priority": asks])
            // Whichever of the two is turned away is so at once.
            #expect(await eventuallyTrue { client.rejected(.queueFull) == 1 })
            hold.gate.open()
            #expect(try await asked.status == (isServed ? 200 : 503))
            #expect(try await other.status == (isServed ? 503 : 200))
            #expect(try await held.status == 200)
            #expect(await client.untilQuiet())
        }
    }

    @Test func `routes without a queue run whatever else runs`() async throws {
        let hold = Hold()
        let app = makeHeldApp(queue: 0, hold)
        app.handle(.loop, "/health", [.unqueued]) { _, _ in .text("well") }
        try await Self.whileHeld(app, hold) { client async throws in
            for _ in 0..<20 { #expect(try await client.get("/health").text == "well") }
            #expect(client.pod.arrived == 1 && client.executingCount == 1)
        }
    }

    @Test func `a pool of its own is for its routes alone, and a group's for all of the group`() async throws {
        let hold = Hold()
        let app = makeApp {
            $0.admission.concurrency = .exactly(1)
            $0.admission.queueMax = .exactly(0)
        }
        app.group("/own", .concurrency(1, queue: 0)) { group in
            hold.declare(on: group)
            group.handle(.loop, "/same") { _, _ in .text("same") }
        }
        app.handle(.loop, "/") { _, _ in .text("pod") }
        app.handle(.loop, "/", [.concurrency(3)], method: .post) { _, _ in .text("post") }
        app.handle(.loop, "/", [.concurrency(5)], method: .put) { _, _ in .text("put") }
        try await app.test { client async throws in
            // No two pools are one series.
            #expect(client.pools.map(\.name) == ["pod", "/own/hold", "/", "/ 2"])
            #expect(client.pools.map(\.limit) == [1, 1, 3, 5])
            #expect(client.pools.map(\.queueLimit) == [0, 0, 12, 20])
            async let held = client.get("/own/hold")
            defer { hold.gate.open() }
            try #require(await eventuallyTrue { client.pools[1].executing == 1 })
            #expect(try await client.get("/own/same").status == 503)
            #expect(try await client.get("/").text == "pod")
            #expect(client.pod.executing == 0)
            hold.gate.open()
            #expect(try await held.text == "held")
            #expect(await client.untilQuiet())
            #expect(try await client.get("/own/same").text == "same")
        }
    }

    @Test func `a full pool of a few places makes the pod full, whatever the others may run`() async throws {
        let hold = Hold()
        let app = makeApp {
            $0.admission.concurrency = .exactly(1000)
            $0.admission.signalWindow = .seconds(1)
        }
        hold.declare(on: app, [.concurrency(1, queue: 0)])
        app.handle(.loop, "/") { _, _ in .text("pod") }
        try await app.test { client async throws in
            async let held = client.get("/hold")
            defer { hold.gate.open() }
            try #require(await eventuallyTrue { client.pools[1].executing == 1 })
            #expect(try await client.get("/").text == "pod")
            // As long as it takes: what was asked for before the window counts no longer.
            var refused = 0
            while !(client.pools[1].utilization > 1 && client.utilization > 1), refused < 50_000 {
                #expect(try await client.get("/hold").status == 503)
                refused += 1
            }
            #expect(client.pools[1].utilization > 1)
            #expect(client.pod.utilization < 0.1)
            #expect(client.pools.map(\.arrived) == [1, UInt64(refused) + 1])
            hold.gate.open()
            #expect(try await held.text == "held")
            #expect(await client.untilQuiet())
        }
    }

    @Test(arguments: [(200, 0), (404, 0), (503, 1), (504, 1)])
    func `what was turned away further on is a failure to the search for the limit`(
        status: Int,
        failures: UInt64
    ) async throws {
        let app = makeApp { $0.admission.concurrency = .automatic }
        app.handle(.loop, "/") { _, _ in .text("", status: Status(status)) }
        try await app.test { client async throws in
            #expect(try await client.get("/").status == status)
            let latencies = try #require(client.latencies)
            #expect(latencies.failureCount == failures)
            #expect(latencies.endedCount == 1)
        }
    }
}
