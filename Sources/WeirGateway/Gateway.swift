// SPDX-License-Identifier: Apache-2.0
// The gateway as an app: the routes of its configuration, and the demo service behind it where that has none.

import Logging
package import Weir
import WeirDNS
import WeirRedis

/// Makes the gateway and runs it.
package enum Gateway {
    /// The gateway of this configuration.
    ///
    /// - Parameter source: where it is read anew; nil for nowhere.
    package static func app(_ configuration: GatewayConfiguration, from source: ConfigurationSource? = nil) -> App {
        let app = App(configuration)
        app.countLimits(in: .redis)
        app.resolveNames(by: .dns)
        if let source { app.reload(from: source) }
        return app
    }

    /// Runs the gateway until the stop signal. The demo service begins before it and ends after it.
    static func run(_ start: ProcessStart) async throws {
        guard start.configuration.routes.isEmpty else {
            return try await app(start.configuration, from: start.source).run(under: start.supervisor)
        }
        let demo = try await Demo.start(behind: start.settings, log: start.supervisor.log)
        // A file without routes may come to have some.
        let source = start.source.map { source in
            ConfigurationSource(file: source.file, version: source.version) { () throws(SettingsError) in
                inFront(of: demo, try source.load())
            }
        }
        let app = app(inFront(of: demo, start.configuration), from: source)
        try await app.run(under: announcing(demo, to: start.supervisor))
        try await demo.stop()
    }

    /// What is served where `configuration` has no routes: the demo.
    private static func inFront(of demo: Demo, _ configuration: GatewayConfiguration) -> GatewayConfiguration {
        guard configuration.routes.isEmpty else { return configuration }
        var settings = configuration.settings
        settings.upstream.endpoints = [demo.endpoint]
        return .withoutFile(settings)
    }

    /// Has the log say what is served, so that nobody takes the demo for their own service.
    private static func announcing(_ demo: Demo, to supervisor: Supervisor) -> Supervisor {
        var announcing = supervisor
        announcing.stageChanged = { stage in
            if case .serving(let engine) = stage {
                engine.logger.notice(
                    "WEIR_UPSTREAM is not set: requests are passed on to the embedded demo service",
                    metadata: ["endpoint": .string(demo.endpoint)]
                )
            }
            supervisor.stageChanged(stage)
        }
        return announcing
    }
}
