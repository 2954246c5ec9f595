// SPDX-License-Identifier: Apache-2.0
// Apps for tests: one loop, nothing on standard error, no port.

import Logging
import Weir

/// An app with one loop that logs to `log`.
func makeApp(log: CapturedLog = CapturedLog(), _ change: (inout Settings) -> Void = { _ in }) -> App {
    var settings = Settings()
    settings.loops = .exactly(1)
    settings.adminListen = []
    // Only so that a failed test ends: the machine may be slow, and sanitizers are.
    settings.deadline = .seconds(120)
    // No load balancer has to notice first.
    settings.drainDelay = .zero
    change(&settings)
    return App(settings: settings, logger: log.logger)
}

extension TestClient {
    /// Sends this text, and reads the responses that came back to requests with these methods.
    func exchange(_ text: String, methods: [Method]? = nil) async throws -> [WireResponse] {
        try WireResponse.all(in: try await exchange(Array(text.utf8)), methods: methods)
    }
}
