// SPDX-License-Identifier: Apache-2.0
// The whole engine in process, without a port: for the tests of people's services.

import Logging
import WeirEventLoop
package import WeirHost

extension App {
    /// Starts the app without any listener, hands `body` a client of it, and stops it.
    ///
    /// Requests go through the whole engine (codec, routes, middleware, handlers) over a pair of connected sockets.
    /// The admin port is not there. Settings hold as given, but for the addresses.
    /// - Throws: `AppError` when the app cannot start; what `body` throws.
    public func test<Result>(_ body: (TestClient) async throws -> Result) async throws -> Result {
        try await test(memoryUsage: MemoryBudget().usage, body)
    }

    /// As above, in a pod that uses so much of its memory.
    package func test<Result>(
        memoryUsage: @escaping @Sendable () -> MemoryUsage,
        cpus: PodCPUs? = nil,
        _ body: (TestClient) async throws -> Result
    ) async throws -> Result {
        var settings = settings
        // What a test wants to see of the log is what went wrong.
        settings.logLevel = max(settings.logLevel, .warning)
        let engine = try AppEngine(self, settings: settings, listens: false, memoryUsage: memoryUsage, cpus: cpus)
        try engine.start()
        do {
            let result = try await body(TestClient(server: engine.server, reload: engine.reload))
            engine.stop()
            return result
        } catch {
            engine.stop()
            throw error
        }
    }
}
