// SPDX-License-Identifier: Apache-2.0
// What an app under test has running and waiting, and connections that a test drives itself: for our own tests.

import CWeirSystem
import WeirEventLoop
package import WeirFlow
package import WeirMetrics

/// One pool at one instant.
package struct PoolState: Equatable, Sendable {
    package let name: String
    package let executing: Int
    package let queued: Int
    package let limit: Int
    package let queueLimit: Int
    /// What left the queue without running, for its deadline.
    package let expired: UInt64
    package let displaced: UInt64
    package let arrived: UInt64
    package let utilization: Double
}

extension TestClient {
    /// The pools, the pod's first.
    package var pools: [PoolState] {
        (server.shared.flow?.pools ?? []).map { named in
            let signals = named.pool.signals(now: LoopClock.monotonic.now)
            return PoolState(
                name: named.name,
                executing: signals.executing,
                queued: signals.queued,
                limit: signals.limit,
                queueLimit: signals.queueLimit,
                expired: signals.counts.expired,
                displaced: signals.counts.displaced,
                arrived: signals.arrivals,
                utilization: named.pool.utilization
            )
        }
    }

    /// What executes on all loops, in the eyes of `weir_execution_seconds_total`.
    package var executingCount: Int {
        let now = LoopClock.monotonic.now
        return (server.shared.flow?.pools ?? []).reduce(0) { $0 + $1.pool.traffic(now: now).execution.executing }
    }

    /// How long all that have executed took together.
    package var executedNanoseconds: UInt64 {
        let now = LoopClock.monotonic.now
        return (server.shared.flow?.pools ?? []).reduce(0) {
            $0 + $1.pool.traffic(now: now).execution.completedNanoseconds
        }
    }

    /// How near the app takes its pod to be to its memory limit.
    package var memoryPressure: MemoryPressureLevel { server.shared.flow?.memoryPressure ?? .normal }

    /// `weir_utilization_ratio`.
    package var utilization: Double { server.shared.flow?.utilization ?? 0 }

    /// What the concurrency limit is found from; nil where it is given.
    package var latencies: LatencyTotals? { server.shared.flow?.samples?.totals }

    /// What all loops have counted.
    package func count(_ counter: CounterID) -> UInt64 {
        server.shards.reduce(0) { $0 &+ $1.value(counter) }
    }

    /// Requests that all loops have turned away for this reason.
    package func rejected(_ reason: RejectionReason) -> UInt64 {
        server.shards.reduce(0) { $0 &+ $1.rejections.count(reason) }
    }

    /// A connection of this event loop; the descriptor is the caller's to close.
    package func connect(on loop: Int = 0) throws(TestClientError) -> Int32 {
        var pair: [Int32] = [-1, -1]
        guard weir_socketpair(&pair) == 0 else { throw .noConnection }
        server.adopt(pair[1], on: loop)
        return pair[0]
    }
}
