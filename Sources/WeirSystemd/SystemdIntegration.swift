// SPDX-License-Identifier: Apache-2.0
// Joins an engine to systemd: what the process was given at its start, and what is told while it runs.

import Logging
import Synchronization
package import Weir
import WeirEventLoop

/// Systemd as an engine's supervisor. Outside systemd it gives nothing and tells nobody.
///
/// ```swift
/// let systemd = try SystemdIntegration()
/// try await app.run(under: systemd.supervisor)
/// ```
package final class SystemdIntegration: Sendable {
    /// For what the engine does not know of, such as a reload; nil outside systemd.
    package let notifier: ServiceNotifier?
    private let listeners: InheritedListeners
    private let isInJournal: Bool
    private let watchdogInterval: Duration?
    private let statusPeriod: Duration
    /// From `serving` to `stopped`. Its thread holds this object meanwhile.
    private let heartbeat = Mutex<Heartbeat?>(nil)
    private let lastStatus = Mutex("")

    /// Takes what the process was given. Once per process: the sockets belong to the engine then.
    ///
    /// - Parameter statusPeriod: how often the line for `systemctl status` is brought up to date.
    /// - Throws: `SystemdError` when a socket or a variable cannot be used.
    package init(statusPeriod: Duration = .seconds(5)) throws(SystemdError) {
        notifier = ServiceNotifier()
        listeners = try .fromSystemd()
        isInJournal = Journal.takesStandardError()
        watchdogInterval = try Watchdog.requestedInterval()
        self.statusPeriod = statusPeriod
    }

    /// What the engine is run under.
    package var supervisor: Supervisor {
        Supervisor(
            listeners: listeners,
            log: isInJournal ? .events(Journal.write) : .standardError,
            stageChanged: { [self] in stageChanged($0) }
        )
    }

    private func stageChanged(_ stage: LifecycleStage) {
        guard let notifier else { return }
        switch stage {
        case .starting:
            break
        case .serving(let engine):
            let status = Self.status(of: engine)
            lastStatus.withLock { $0 = status }
            if !notifier.ready(status: status) {
                engine.logger.warning("the service manager was not told that the service is ready")
            }
            startHeartbeat(notifier, engine)
        case .reloading:
            notifier.reloading()
        case .reloaded(let engine):
            // Not told once the drain has begun.
            notifier.ready(status: Self.status(of: engine))
        case .draining(let connections, let timeout):
            let status = Self.drainStatus(connections)
            lastStatus.withLock { last in
                last = status
                notifier.stopping(status: status)
            }
            // What follows the drain takes seconds.
            notifier.extendTimeout(timeout + Self.endGrace)
        case .stopped:
            heartbeat.withLock { $0.take() }?.stop()
            notifier.end()
        }
    }

    private func startHeartbeat(_ notifier: ServiceNotifier, _ engine: EngineView) {
        let watchdog = watchdogInterval.map { interval in
            Watchdog(interval: interval, notifier: notifier) { engine.isHealthy }
        }
        do throws(SystemCallError) {
            let started = try Heartbeat(every: min(watchdog?.period ?? statusPeriod, statusPeriod)) { [self] in
                watchdog?.beat()
                report(engine, notifier)
            }
            heartbeat.withLock { $0 = started }
        } catch {
            engine.logger.error("no thread for the watchdog", metadata: ["error": .string("\(error)")])
        }
    }

    /// Brings the status up to date.
    private func report(_ engine: EngineView, _ notifier: ServiceNotifier) {
        // Looked at and told under one lock: a status from before the drain never follows STOPPING.
        lastStatus.withLock { last in
            let status = engine.isServing ? Self.status(of: engine) : Self.drainStatus(engine.connectionCount)
            guard status != last else { return }
            last = status
            notifier.status(status)
        }
    }

    private static let endGrace: Duration = .seconds(5)

    private static func status(of engine: EngineView) -> String {
        "Serving on \(engine.listen.joined(separator: ", ")), \(count(engine.connectionCount))"
    }

    private static func drainStatus(_ connections: Int) -> String { "Draining \(count(connections))" }

    private static func count(_ connections: Int) -> String {
        connections == 1 ? "1 connection" : "\(connections) connections"
    }
}
