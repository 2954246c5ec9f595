// SPDX-License-Identifier: Apache-2.0
// A reload, from the file to what is said of it. On the reloader's thread, or on that of a test.

import Logging
import WeirEventLoop
import WeirUpstream

/// Has an engine run with another configuration. What it needs of the engine, and nothing of who asks.
final class ConfigurationReload: Sendable {
    let live: LiveConfiguration
    let status = ReloadStatus()
    private let server: HTTPServer
    private let control: ControlLoop
    /// Nil where the app has a logger of its own.
    private let threshold: LogThreshold?
    private let logger: Logger

    init(
        _ live: LiveConfiguration,
        server: HTTPServer,
        control: ControlLoop,
        threshold: LogThreshold?,
        logger: Logger
    ) {
        self.live = live
        self.server = server
        self.control = control
        self.threshold = threshold
        self.logger = logger
    }

    /// Takes what `load` answers over whole, or not at all.
    func run(_ load: () throws(SettingsError) -> GatewayConfiguration) -> ReloadOutcome {
        let outcome = outcome(load)
        status.note(outcome)
        log(outcome)
        return outcome
    }

    private func outcome(_ load: () throws(SettingsError) -> GatewayConfiguration) -> ReloadOutcome {
        let configuration: GatewayConfiguration
        do throws(SettingsError) {
            configuration = try load()
        } catch {
            return .rejected("\(error)")
        }
        guard configuration != live.present.configuration else { return .unchanged(version: server.snapshot.version) }
        do throws(AppError) {
            let (version, changes) = try live.replace(by: configuration, on: server)
            follow(live.present)
            return .applied(version: version, changes)
        } catch {
            return .rejected("\(error)")
        }
    }

    /// Changes what is not in the snapshot.
    private func follow(_ present: LiveConfiguration.Present) {
        threshold?.level = present.settings.logLevel
        control.follow(present.followed)
    }

    private func log(_ outcome: ReloadOutcome) {
        switch outcome {
        case .unchanged(let version):
            logger.info("the configuration is as it was", metadata: ["version": .stringConvertible(version)])
        case .rejected(let reason):
            logger.error("the configuration is refused; the one before stays", metadata: ["error": .string(reason)])
        case .applied(let version, let changes):
            logger.info(
                "the configuration is reloaded",
                metadata: ["version": .stringConvertible(version), "changed": .string(Self.list(changes.changed))]
            )
            live.present.warnOfIdleLimits(logger)
            guard !changes.afterRestart.isEmpty else { return }
            logger.warning(
                "settings wait for a restart",
                metadata: ["settings": .string(Self.list(changes.afterRestart))]
            )
        }
    }

    /// A thousand upstreams may change at once, and a line of the log is to be read.
    private static let listedMax = 20

    private static func list(_ names: [String]) -> String {
        let rest = names.count > listedMax ? " and \(names.count - listedMax) more" : ""
        return names.prefix(listedMax).joined(separator: ", ") + rest
    }
}
