// SPDX-License-Identifier: Apache-2.0
// The adapter as a Weir service: its routes, who may ask, and the loop behind them.

import Synchronization
package import Weir
import WeirEventLoop

/// Makes the adapter and runs it.
package enum AdapterApp {
    /// Runs it until the stop signal.
    package static func run(_ settings: AdapterSettings, under supervisor: Supervisor) async throws {
        let state = AdapterState(
            SignalTiming(
                window: settings.window.nanosecondsClamped,
                ageMax: settings.ageMax.nanosecondsClamped
            )
        )
        let files: AdapterFiles
        do throws(AppError) {
            try AdapterLoop.check(settings)
            files = try AdapterFiles()
        } catch {
            error.exit.end("weir: \(error)")
        }
        let running = RunningLoop()
        var adapted = supervisor
        adapted.stageChanged = { stage in
            switch stage {
            case .serving(let engine): running.start(settings, files, state, engine)
            case .stopped: running.stop()
            default: break
            }
            supervisor.stageChanged(stage)
        }
        try await app(settings, files, state).run(under: adapted)
        running.stop()
    }

    /// The app alone.
    package static func app(_ settings: AdapterSettings, _ files: AdapterFiles, _ state: AdapterState) -> App {
        let app = App(settings: settings.engine(over: files.options(settings)))
        let api = MetricsAPI(servesExternal: settings.servesExternal, version: WeirVersion.text)
        app.measure { state.samples }
        app.get("/healthz", .unqueued, on: .loop) { _, _ in .text("ok") }
        app.get("/livez", .unqueued, on: .loop) { _, _ in .text("ok") }
        app.get("/readyz", .unqueued, on: .loop) { _, _ in
            let readiness = state.readiness
            return .text(readiness.text, status: readiness.isReady ? .ok : .serviceUnavailable)
        }
        app.get("/*path", on: .loop) { request, _ in answer(request, api, state) }
        return app
    }

    private static func answer(_ request: Request, _ api: MetricsAPI, _ state: AdapterState) -> Response {
        let subject = request.clientCertificate?.subject
        guard state.frontProxy?.admits(subject: subject, field: { request.headers[$0] }) ?? false else {
            state.count { $0.refused &+= 1 }
            var refusal = response(.refusal(401, "Unauthorized: only the API server's aggregation layer may ask"))
            // The client chose its certificate when it connected: to show another one it has to connect again.
            refusal.headers["Connection"] = "close"
            return refusal
        }
        let now = LoopClock.monotonic.now
        return response(api.answer(path: request.path, query: request.query, state.table, now: now))
    }

    private static func response(_ answer: MetricsAnswer) -> Response {
        .bytes(answer.body, contentType: "application/json", status: Status(answer.status))
    }
}

/// The loop between the start of an engine and its end.
private final class RunningLoop: Sendable {
    private let loop = Mutex<AdapterLoop?>(nil)

    func start(_ settings: AdapterSettings, _ files: AdapterFiles, _ state: AdapterState, _ engine: EngineView) {
        do throws(AppError) {
            let made = try AdapterLoop(settings, files, state, engine.logger, reloadTLS: { engine.reloadTLS() })
            try made.start()
            loop.withLock { $0 = made }
        } catch {
            error.exit.end("weir: \(error)")
        }
    }

    func stop() {
        let present = loop.withLock { loop in
            defer { loop = nil }
            return loop
        }
        present?.stop()
    }
}
