// SPDX-License-Identifier: Apache-2.0
// What the admin port says of a start that has not ended, and of a loop that does not turn.

import Synchronization
import Testing
import Weir

@Suite(.timeLimit(.minutes(2))) struct ProbeTests {
    @Test func `a handler that holds its loop is counted, and liveness fails until it lets go`() async throws {
        let log = CapturedLog()
        let app = makeApp(log: log) {
            $0.listen = [.tcp(host: "127.0.0.1", port: 0)]
            $0.adminListen = [.tcp(host: "127.0.0.1", port: 0)]
            $0.loops = .exactly(1)
            $0.loopStuck = .seconds(1)
        }
        let gate = Gate()
        app.get("/held", on: .loop) { _, _ in
            gate.pass()
            return .text("held")
        }
        app.get("/quick", on: .loop) { _, _ in .text("quick") }
        let running = try await RunningApp(app, log: log)
        let admin = try #require(log.entry("serving")?.metadata["admin"])
        let address = try #require(running.addresses.first)

        #expect(try await answer(of: "/livez", from: admin).status == 200)
        #expect(try await answer(of: "/startupz", from: admin).status == 200)
        let client = try RawClient(address)
        client.send("GET /held HTTP/1.1\r\nHost: h\r\n\r\nGET /quick HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        let stuck = try await firstAnswer(of: "/livez", from: admin) { $0.status == 503 }
        #expect(stuck.text.hasPrefix("loop 0 has not turned for"))
        // Readiness is about being sent requests, and metrics are needed most when something is wrong.
        #expect(try await answer(of: "/readyz", from: admin).status == 200)
        #expect(try await answer(of: "/startupz", from: admin).status == 200)
        gate.open()
        #expect(try await WireResponse.all(in: client.receiveToEnd()).map(\.text) == ["held", "quick"])
        _ = try await firstAnswer(of: "/livez", from: admin) { $0.status == 200 }
        let metrics = try await answer(of: "/metrics", from: admin).text
        #expect(metrics.contains("weir_handler_stalls_total{http_route=\"/held\"} 1\n"))
        #expect(!metrics.contains("weir_handler_stalls_total{http_route=\"/quick\"}"))
        #expect(
            log.entry("a handler held its event loop; declare the route on: .workers")?.metadata["route"] == "/held"
        )
        client.close()
        try await running.stop()
    }

    @Test func `before the start has ended it lives, has not started, and is not ready`() async throws {
        let log = CapturedLog()
        let app = makeApp(log: log) {
            $0.listen = [.tcp(host: "127.0.0.1", port: 0)]
            $0.adminListen = [.tcp(host: "127.0.0.1", port: 0)]
        }
        app.get("/") { _, _ in .text("x") }
        let gate = Gate()
        let told = Mutex<[String]>([])
        let supervisor = Supervisor { stage in
            guard case .starting(let admin) = stage else { return }
            told.withLock { $0 = admin }
            gate.pass()
        }
        let running = RunningApp(starting: app, log: log, under: supervisor)
        #expect(await eventuallyTrue { gate.waitingCount == 1 })
        let admin = try #require(told.withLock { $0 }.first)

        let startup = try await answer(of: "/startupz", from: admin)
        #expect(startup.status == 503)
        #expect(startup.text == "not started\n")
        let readiness = try await answer(of: "/readyz", from: admin)
        #expect(readiness.status == 503)
        #expect(readiness.text == "not ready: starting\n")
        let liveness = try await answer(of: "/livez", from: admin)
        #expect(liveness.status == 200)
        #expect(liveness.text == "alive\n")
        #expect(try await answer(of: "/metrics", from: admin).status == 200)
        #expect(log.entry("serving") == nil)

        gate.open()
        #expect(await eventuallyTrue { log.entry("serving") != nil })
        #expect(try await answer(of: "/startupz", from: admin).status == 200)
        #expect(try await answer(of: "/readyz", from: admin).status == 200)
        #expect(try await answer(of: "/livez", from: admin).status == 200)
        try await running.stop()
    }

    private func answer(of path: String, from address: String) async throws -> WireResponse {
        let client = try RawClient(address)
        defer { client.close() }
        client.send("GET \(path) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        return try #require(await WireResponse.all(in: client.receiveToEnd()).first)
    }

    private func firstAnswer(
        of path: String,
        from address: String,
        where isWanted: (WireResponse) -> Bool
    ) async throws -> WireResponse {
        for _ in 0..<2000 {
            let response = try await answer(of: path, from: address)
            if isWanted(response) { return response }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw RawClient.Refused()
    }
}
