// SPDX-License-Identifier: Apache-2.0
// The drain of an engine: the stop signal and the admin port both ask for it, and it happens once.

import Logging
import Synchronization
import WeirEventLoop

/// Ends what the data server has in flight. What it needs of the engine, and nothing of who asks.
final class Drain: Sendable {
    /// What a drain did not see the end of.
    struct Rest {
        let connections: Int
        let backgroundWork: Int

        var isNothing: Bool { connections == 0 && backgroundWork == 0 }
    }

    private let server: HTTPServer
    private let health: EngineHealth
    private let logger: Logger
    private let delay: Duration
    private let timeout: Duration
    private let begun = Mutex<Task<Void, Never>?>(nil)
    /// Those who wait in `wait`. Relaxed: it publishes nothing.
    private let callers = Atomic<Int>(0)

    init(server: HTTPServer, health: EngineHealth, logger: Logger, delay: Duration, timeout: Duration) {
        self.server = server
        self.health = health
        self.logger = logger
        self.delay = delay
        self.timeout = timeout
    }

    /// Begins the drain unless it has begun: readiness fails from now on, and every answer says `Connection: close`.
    ///
    /// - Returns: the drain, which ends when no connection and no background work is left, when its time is over, or
    ///   soon after it was cancelled.
    func begin() -> Task<Void, Never> {
        begun.withLock { begun in
            if let begun { return begun }
            let started = ContinuousClock.now
            health.beginDrain()
            server.beginDrain()
            logger.info("draining", metadata: ["connections": .stringConvertible(server.connectionCount)])
            let drain = Task { await self.run(since: started) }
            begun = drain
            return drain
        }
    }

    /// Begins the drain unless it has begun, and waits for its end.
    ///
    /// - Returns: what is left: nothing, unless its time was over.
    func wait() async -> Rest {
        callers.wrappingAdd(1, ordering: .relaxed)
        defer { callers.wrappingSubtract(1, ordering: .relaxed) }
        await begin().value
        return rest
    }

    /// How many wait for the end of the drain.
    var callerCount: Int { callers.load(ordering: .relaxed) }

    private func run(since started: ContinuousClock.Instant) async {
        let end = started.advanced(by: timeout)
        try? await Task.sleep(for: delay)
        server.closeListenersAndIdle()
        while !(server.isQuiet && background.isIdle), ContinuousClock.now < end, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(20))
        }
        let rest = rest
        if rest.isNothing {
            logger.info("drained")
        } else {
            logger.warning(
                "drain timed out",
                metadata: [
                    "connections": .stringConvertible(rest.connections),
                    "background_work": .stringConvertible(rest.backgroundWork),
                ]
            )
        }
    }

    private var background: BackgroundQueue { server.shared.background }

    private var rest: Rest { Rest(connections: server.connectionCount, backgroundWork: background.counts.left) }
}
