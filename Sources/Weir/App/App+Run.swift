// SPDX-License-Identifier: Apache-2.0
// The life of an app: start, serve, drain, end.

import Logging
public import ServiceLifecycle
import UnixSignals
import WeirEventLoop

extension App: Service {
    /// Runs the app as the process's own service until SIGTERM or SIGINT, drains, and returns.
    ///
    /// On the signal readiness fails, requests are served for the drain delay (`WEIR_DRAIN_DELAY`) with
    /// `Connection: close`, then no connection is taken any more; what is in flight may finish until
    /// `WEIR_DRAIN_TIMEOUT` after the signal. If the app cannot start, the reason is written to standard error as one
    /// line and the process exits with 78 (settings, routes) or 69 (an address cannot be bound).
    ///
    /// As one service among others, hand the app to a `ServiceGroup` instead: the group then handles signals, and a
    /// failed start is thrown.
    public func run() async throws {
        try await run(under: Supervisor())
    }

    /// The same as ``run()`` for a process that something started which the engine is to use and to tell.
    package func run(under supervisor: Supervisor) async throws {
        let engine: AppEngine
        do throws(AppError) {
            engine = try AppEngine(self, supervisor: supervisor)
        } catch {
            error.exit.end("weir: \(error)")
        }
        // Named, because a service without a name is printed by reflection, all of it: an eighth of the start.
        var services = [ServiceGroupConfiguration.ServiceConfiguration(service: engine, serviceName: "weir")]
        if let reloader = engine.reloader {
            services.append(.init(service: await HangupSignals(reloader), serviceName: "weir-hangup"))
        }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services,
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: Logger(label: "weir.lifecycle") { _ in SwiftLogNoOpLogHandler() }
            )
        )
        do {
            try await group.run()
        } catch let error as AppError {
            error.exit.end("weir: \(error)")
        }
    }

    /// What a `ServiceGroup` calls: runs the app until the group shuts down gracefully or cancels it.
    /// - Throws: `AppError` when it cannot start.
    @_disfavoredOverload
    @_implements(Service,run())
    public func runAsService() async throws {
        try await runAsService(under: Supervisor())
    }

    /// - Parameter cpus: what its threads and limits follow.
    package func runAsService(under supervisor: Supervisor, cpus: PodCPUs? = nil) async throws {
        try await AppEngine(self, supervisor: supervisor, cpus: cpus).run()
    }
}
