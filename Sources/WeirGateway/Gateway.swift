// SPDX-License-Identifier: Apache-2.0
// The gateway as an app: one route that passes everything on, and the demo service behind it where there is no other.

import Logging
package import Weir
import WeirRedis

/// Makes the gateway and runs it.
package enum Gateway {
    /// The gateway for these settings; it passes on to their upstream.
    package static func app(_ settings: Settings) -> App {
        let app = App(settings: settings)
        app.countLimits(in: .redis)
        // A catch-all matches an empty rest too, so `/` is among its paths.
        app.proxy("/*path", to: .upstream("default"))
        return app
    }

    /// Runs the gateway until the stop signal. The demo service begins before it and ends after it.
    static func run(_ start: ProcessStart) async throws {
        guard start.settings.upstream.endpoints.isEmpty else {
            return try await app(start.settings).run(under: start.supervisor)
        }
        let demo = try await Demo.start(behind: start.settings, log: start.supervisor.log)
        var settings = start.settings
        settings.upstream.endpoints = [demo.endpoint]
        try await app(settings).run(under: announcing(demo, to: start.supervisor))
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
