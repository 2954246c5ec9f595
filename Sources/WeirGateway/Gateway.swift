// SPDX-License-Identifier: Apache-2.0
// The gateway as an app: the routes of its configuration, and the demo service behind it where that has none.

import Logging
package import Weir
import WeirRedis

/// Makes the gateway and runs it.
package enum Gateway {
    /// The gateway of this configuration.
    package static func app(_ configuration: GatewayConfiguration) -> App {
        let app = App(configuration)
        app.countLimits(in: .redis)
        return app
    }

    /// Runs the gateway until the stop signal. The demo service begins before it and ends after it.
    static func run(_ start: ProcessStart) async throws {
        guard start.configuration.routes.isEmpty else {
            return try await app(start.configuration).run(under: start.supervisor)
        }
        let demo = try await Demo.start(behind: start.settings, log: start.supervisor.log)
        var settings = start.settings
        settings.upstream.endpoints = [demo.endpoint]
        try await app(.withoutFile(settings)).run(under: announcing(demo, to: start.supervisor))
        try await demo.stop()
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
