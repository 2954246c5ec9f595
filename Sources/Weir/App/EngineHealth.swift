// SPDX-License-Identifier: Apache-2.0
// Whether the process lives and whether it should be sent requests: what the probes ask.

import Synchronization
import WeirEventLoop

/// The state behind the probes. Written by the engine, read by the admin loop.
final class EngineHealth: Sendable {
    private let stuckNanoseconds: Nanoseconds
    private let server = Mutex<HTTPServer?>(nil)
    /// Only goes forward. Relaxed: the probes have only to see it soon.
    private let present = Atomic<UInt8>(ServiceStage.starting.rawValue)

    init(stuckNanoseconds: Nanoseconds) {
        self.stuckNanoseconds = stuckNanoseconds
    }

    func begin(_ server: HTTPServer) {
        self.server.withLock { $0 = server }
        present.max(ServiceStage.serving.rawValue, ordering: .relaxed)
    }

    func beginDrain() {
        present.max(ServiceStage.draining.rawValue, ordering: .relaxed)
    }

    var stage: ServiceStage { ServiceStage(rawValue: present.load(ordering: .relaxed)) ?? .draining }

    /// The loops that have not turned for too long; empty when all is well.
    var stuckLoops: [(index: Int, seconds: UInt64)] {
        (server.withLock { $0 }?.loops ?? []).compactMap { loop in
            let since = loop.sinceLastTurn
            return since > stuckNanoseconds ? (loop.index, since / 1_000_000_000) : nil
        }
    }
}

/// How far a service is in its life, as far as those who send it requests are concerned.
package enum ServiceStage: UInt8, Sendable {
    /// No loop turns yet.
    case starting
    case serving
    /// It finishes what it has; no more should be sent.
    case draining

    /// What the startup probe asks. It stays so: a drain is no start that failed.
    package var hasStarted: Bool { self != .starting }
}
