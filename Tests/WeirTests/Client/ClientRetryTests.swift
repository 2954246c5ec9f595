// SPDX-License-Identifier: Apache-2.0
// How often a handler's request is sent: as the route says that the handler answers.

import Synchronization
import Testing
import Weir
import WeirTestSupport

@Suite(.timeLimit(.minutes(2))) struct ClientRetryTests {
    /// Asks the upstream and passes its status on.
    private struct Asking: Middleware {
        func handle(_ request: Request, _ context: RequestContext, next: NextHandler) async throws -> Response {
            let response = try await context.client("stock").get("/")
            return Response.text("\(response.status) \(response.text)")
        }
    }

    private final class Calls: Sendable {
        private let count = Atomic<Int>(0)

        /// The number of this one, from 1 on.
        func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
        var total: Int { count.load(ordering: .relaxed) }
    }

    /// Runs `stock`, which answers so many calls with 503, or not at all, and a gateway whose middleware asks it.
    private func withCalls(
        retry: String,
        failing count: Int,
        isSilent: Bool = false,
        test body: (TestClient, Calls) async throws -> Void
    ) async throws {
        let folder = try ScratchFolder()
        let calls = Calls()
        let log = CapturedLog()
        let service = makeApp(log: log) {
            $0.listen = [.unix(path: "\(folder.path)/stock", mode: 0o600)]
            $0.drainTimeout = .zero
        }
        service.get("/") { _, context async throws in
            guard calls.next() <= count else { return .text("ok") }
            if isSilent { try await context.sleep(for: .seconds(3600)) }
            return Response.text("no", status: .serviceUnavailable)
        }
        let running = try await RunningApp(service, log: log)
        let configuration = try GatewayConfiguration(
            """
            upstreams: {stock: {endpoints: ["unix:\(folder.path)/stock"]}}
            routes: [{upstream: stock, retry: {\(retry)}}]
            """,
            ["WEIR_LOOPS": "1", "WEIR_LOG_LEVEL": "critical"]
        )
        let app = App(configuration)
        app.use(Asking())
        do {
            try await app.test { client async throws in try await body(client, calls) }
        } catch {
            try await running.stop()
            throw error
        }
        try await running.stop()
    }

    @Test func `a status that the route names is not seen by the handler`() async throws {
        try await withCalls(retry: #""on": [503]"#, failing: 2) { client, calls async throws in
            #expect(try await client.get("/").text == "200 ok")
            #expect(calls.total == 3)
        }
    }

    @Test func `the last answer is the handler's, whatever it is`() async throws {
        try await withCalls(retry: #""on": [503], attempts: 1"#, failing: .max) { client, calls async throws in
            #expect(try await client.get("/").text == "503 no")
            #expect(calls.total == 2)
        }
    }

    @Test func `any other status is the handler's at once`() async throws {
        try await withCalls(retry: #""on": [502]"#, failing: .max) { client, calls async throws in
            #expect(try await client.get("/").text == "503 no")
            #expect(calls.total == 1)
        }
    }

    @Test func `an attempt has no longer than the route gives it`() async throws {
        try await withCalls(
            retry: "attempt-timeout: 100ms",
            failing: 1,
            isSilent: true
        ) { client, calls async throws in
            #expect(try await client.get("/").text == "200 ok")
            #expect(calls.total == 2)
        }
    }

    @Test func `where no attempt is answered in time the client is told so`() async throws {
        try await withCalls(
            retry: "attempt-timeout: 50ms, attempts: 1",
            failing: .max,
            isSilent: true
        ) { client, calls async throws in
            let response = try await client.get("/")
            #expect(response.status == 504 && response.text.contains("upstream_attempt_timeout"))
            #expect(calls.total == 2)
        }
    }
}
