// SPDX-License-Identifier: Apache-2.0
// The demo service in this process: alone, or behind the gateway as an app of its own on loopback.

import Logging
import ServiceLifecycle
import Synchronization
package import Weir
import WeirDemo
import WeirRedis

/// A demo service that runs behind a gateway.
package struct Demo: Sendable {
    /// Where it listens, in the form of `WEIR_UPSTREAM`.
    package let endpoint: String
    private let group: ServiceGroup
    private let running: Task<Void, any Error>

    /// The demo service for these settings. Files are served where the environment names their folder: the root of a
    /// container is nothing to be shown.
    package static func app(_ settings: Settings) -> App {
        let app = App(settings: settings)
        app.countLimits(in: .redis)
        DemoRoutes.declare(on: app, files: ProcessEnvironment.value("HELLO_FILES"))
        return app
    }

    /// Starts it on a loopback port of the kernel's choice, without an admin port.
    /// - Throws: `AppError` when it cannot start.
    package static func start(behind settings: Settings, log: LogSink) async throws -> Demo {
        let (addresses, serving) = AsyncStream.makeStream(of: [String].self)
        let supervisor = Supervisor(log: log) { stage in
            if case .serving(let engine) = stage { serving.yield(engine.listen) }
        }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    // As in App.run.
                    .init(
                        service: SupervisedApp(app: app(Self.settings(behind: settings)), supervisor: supervisor),
                        serviceName: "weir-demo"
                    )
                ],
                logger: Logger(label: "weir.lifecycle") { _ in SwiftLogNoOpLogHandler() }
            )
        )
        let running = Task.detached {
            // Whoever waits for the addresses waits no longer than the service runs.
            defer { serving.finish() }
            try await group.run()
        }
        for await listen in addresses {
            guard let address = listen.first else { break }
            return Demo(endpoint: "http://\(address)", group: group, running: running)
        }
        try await running.value
        throw AppError.system("the demo service ended at its start")
    }

    /// Ends it and waits for its end.
    package func stop() async throws {
        await group.triggerGracefulShutdown()
        try await running.value
    }

    /// What the demo shares with the gateway is how it logs, and of that only what went wrong. The gateway's limits are
    /// in front of it.
    static func settings(behind gateway: Settings) -> Settings {
        var settings = Settings()
        settings.listen = [.tcp(host: "127.0.0.1", port: 0)]
        settings.adminListen = []
        settings.loops = .exactly(1)
        // The gateway has drained before.
        settings.drainDelay = .zero
        settings.drainTimeout = .seconds(1)
        settings.logFormat = gateway.logFormat
        settings.logLevel = max(gateway.logLevel, .warning)
        return settings
    }
}

/// An app under a supervisor as a service of a group.
private struct SupervisedApp: Service {
    let app: App
    let supervisor: Supervisor

    func run() async throws { try await app.runAsService(under: supervisor) }
}
