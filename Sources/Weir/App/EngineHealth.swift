// SPDX-License-Identifier: Apache-2.0
// Whether the process lives and whether it should be sent requests: what the probes ask.

import Synchronization
import WeirEventLoop

/// The state behind the probes. Written by the engine, read by the admin loop.
final class EngineHealth: Sendable {
    private let stuckNanoseconds: Nanoseconds
    private let loops = Mutex<[EventLoop]>([])
    /// Relaxed: the probes have only to see it soon.
    private let isServing = Atomic<Bool>(false)

    init(stuckNanoseconds: Nanoseconds) {
        self.stuckNanoseconds = stuckNanoseconds
    }

    func begin(loops: [EventLoop]) {
        self.loops.withLock { $0 = loops }
        isServing.store(true, ordering: .relaxed)
    }

    func beginDrain() {
        isServing.store(false, ordering: .relaxed)
    }

    /// Whether requests should be sent here. Overload never makes it false.
    var isReady: Bool { isServing.load(ordering: .relaxed) }

    /// The loops that have not turned for too long; empty when all is well.
    var stuckLoops: [(index: Int, seconds: UInt64)] {
        loops.withLock { $0 }.compactMap { loop in
            let since = loop.sinceLastTurn
            return since > stuckNanoseconds ? (loop.index, since / 1_000_000_000) : nil
        }
    }
}
