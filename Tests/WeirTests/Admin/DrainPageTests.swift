// SPDX-License-Identifier: Apache-2.0
// A drain that the admin port is asked for.

import ServiceLifecycle
import Testing
import Weir

@Suite(.timeLimit(.minutes(2))) struct DrainPageTests {
    private static func app(_ log: CapturedLog, _ change: (inout Settings) -> Void = { _ in }) -> App {
        makeApp(log: log) {
            $0.listen = [.tcp(host: "127.0.0.1", port: 0)]
            $0.adminListen = [.tcp(host: "127.0.0.1", port: 0)]
            change(&$0)
        }
    }

    private static func ask(_ address: String, _ path: String, method: String = "GET") throws -> RawClient {
        let client = try RawClient(address)
        client.send("\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return client
    }

    private static func answer(_ address: String, _ path: String, method: String = "GET") async throws -> WireResponse {
        let bytes = try await ask(address, path, method: method).receiveToEnd()
        return try #require(try WireResponse.all(in: bytes, methods: Method(rawValue: method).map { [$0] }).first)
    }

    @Test func `all who ask wait for what is in flight, and the process goes on until it is told to end`() async throws
    {
        let log = CapturedLog()
        let app = Self.app(log)
        let gate = Gate()
        app.get("/held") { _, _ in
            gate.pass()
            return .text("held")
        }
        let running = try await RunningApp(app, log: log)
        let address = try #require(running.addresses.first)
        let admin = try #require(log.entry("serving")?.metadata["admin"])
        #expect(try await Self.answer(admin, "/readyz").text == "ready\n")

        let held = try RawClient(address)
        held.send("GET /held HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(await eventuallyTrue { gate.waitingCount == 1 })
        let callers = try ["GET", "POST", "GET"].map { try Self.ask(admin, "/drain", method: $0) }
        #expect(await eventuallyTrue { log.entry("draining") != nil })
        #expect(log.entry("drained") == nil)
        let readiness = try await Self.answer(admin, "/readyz")
        #expect(readiness.status == 503)
        #expect(readiness.text == "not ready: draining\n")

        gate.open()
        let response = try #require(try await WireResponse.all(in: held.receiveToEnd()).first)
        #expect(response.text == "held")
        #expect(response["Connection"] == "close")
        held.close()
        for caller in callers {
            #expect(try await WireResponse.all(in: caller.receiveToEnd()).map(\.text) == ["drained\n"])
        }
        #expect(try await Self.answer(admin, "/drain").status == 200)
        #expect(try await Self.answer(admin, "/livez").status == 200)
        #expect(try await Self.answer(admin, "/metrics").status == 200)
        #expect(throws: RawClient.Refused.self) { _ = try RawClient(address) }
        try await running.stop()
        #expect(log.entries.map(\.message) == ["serving", "draining", "drained"])
    }

    @Test func `a drain whose time is over says what is left, and leaves it to the end of the process`() async throws {
        let log = CapturedLog()
        let app = Self.app(log) { $0.drainTimeout = .milliseconds(1) }
        let gate = Gate()
        app.get("/held") { _, _ in
            gate.pass()
            return .text("held")
        }
        let running = try await RunningApp(app, log: log)
        let admin = try #require(log.entry("serving")?.metadata["admin"])
        let held = try RawClient(try #require(running.addresses.first))
        held.send("GET /held HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(await eventuallyTrue { gate.waitingCount == 1 })
        let late = try await Self.answer(admin, "/drain")
        #expect(late.status == 503)
        #expect(late.text == "drain timed out, connections left: 1\n")
        // Nothing was cut: what ends by itself still ends well.
        gate.open()
        #expect(try await WireResponse.all(in: held.receiveToEnd()).map(\.text) == ["held"])
        held.close()
        try await running.stop()
        #expect(log.entry("drain timed out") != nil)
    }

    @Test func `a stop signal during a drain waits for the same drain, and who asked for it is answered`() async throws
    {
        let log = CapturedLog()
        let app = Self.app(log)
        let gate = Gate()
        app.get("/held") { _, _ in
            gate.pass()
            return .text("held")
        }
        let running = try await RunningApp(app, log: log)
        let admin = try #require(log.entry("serving")?.metadata["admin"])
        let held = try RawClient(try #require(running.addresses.first))
        held.send("GET /held HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        #expect(await eventuallyTrue { gate.waitingCount == 1 })
        let caller = try Self.ask(admin, "/drain")
        #expect(await eventuallyTrue { log.entry("draining") != nil })
        await running.group.triggerGracefulShutdown()
        gate.open()
        #expect(try await WireResponse.all(in: held.receiveToEnd()).map(\.text) == ["held"])
        held.close()
        #expect(try await WireResponse.all(in: caller.receiveToEnd()).map(\.text) == ["drained\n"])
        try await running.stop()
        #expect(log.entries.map(\.message) == ["serving", "draining", "drained"])
    }

    @Test func `HEAD drains nothing`() async throws {
        let log = CapturedLog()
        let running = try await RunningApp(Self.app(log), log: log)
        let admin = try #require(log.entry("serving")?.metadata["admin"])
        let response = try await Self.answer(admin, "/drain", method: "HEAD")
        #expect(response.status == 405)
        #expect(response["Allow"] == "GET, POST")
        #expect(try await Self.answer(admin, "/readyz").status == 200)
        try await running.stop()
    }

    @Test func `the index names every page, and there are no others`() async throws {
        let log = CapturedLog()
        let running = try await RunningApp(Self.app(log), log: log)
        let admin = try #require(log.entry("serving")?.metadata["admin"])
        let index = try await Self.answer(admin, "/").text
        for path in ["/livez", "/readyz", "/startupz", "/metrics", "/config", "/queue", "/upstreams", "/drain"] {
            #expect(index.contains("\n\(path) "), "\(path)")
        }
        #expect(try await Self.answer(admin, "/config").text.contains(#""name":"WEIR_LISTEN""#))
        #expect(try await Self.answer(admin, "/upstreams").text == "{\"upstreams\":[]}\n")
        #expect(try await Self.answer(admin, "/nothing").status == 404)
        #expect(try await Self.answer(admin, "/config", method: "POST").status == 405)
        try await running.stop()
    }
}
