// SPDX-License-Identifier: Apache-2.0
// What a supervisor may ask a running engine, from any thread.

package import Logging
import WeirEventLoop
import WeirTLS

/// A running engine, as its supervisor sees it. It stays valid after the end, and then says so by its numbers.
package struct EngineView: Sendable {
    private let server: HTTPServer
    private let health: EngineHealth
    /// The addresses that requests are taken on, as the log names them.
    package let listen: [String]
    /// The engine's log.
    package let logger: Logger

    init(server: HTTPServer, health: EngineHealth, logger: Logger) {
        self.server = server
        self.health = health
        self.logger = logger
        listen = server.boundAddresses.map(\.description)
    }

    /// Connections of clients that are open.
    package var connectionCount: Int { server.connectionCount }

    /// Says how many replicas serve now, this one included: limits of the cluster are divided by it. It rises at once,
    /// and falls after `ReplicaCount.fallNanoseconds`.
    package func setReplicas(_ count: Int) {
        server.shared.flow?.observeReplicas(count, now: LoopClock.monotonic.now)
    }

    /// Has new connections use the certificates and CAs that are in their files now, as a change of them would within
    /// two seconds. Reads files.
    ///
    /// - Returns: what of them is at fault, and stays as it was.
    package func reloadTLS() -> [String] { server.shared.tls?.reload().map(\.description) ?? [] }

    /// Whether requests are taken and no drain has begun.
    package var isServing: Bool { health.stage == .serving }

    /// Whether every loop turns: what the liveness probe says.
    package var isHealthy: Bool { health.stuckLoops.isEmpty }
}
