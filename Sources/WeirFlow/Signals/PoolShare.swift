// SPDX-License-Identifier: Apache-2.0
// One route's part of a pool. Found when a route is compiled, and kept as long as its pool.

/// What of a pool's requests is one route's. What arrives and executes is counted here, what waits in ``QueueShare``; the
/// pool's own figures are the sums over its shares, so they never disagree.
package final class PoolShare: Sendable {
    /// The route's name; nil for the share of all that have none of their own.
    package let name: String?

    /// Its place among the shares of its pool.
    package let number: Int

    /// What arrives and executes.
    package let traffic: PoolTraffic

    init(name: String?, number: Int, loopCount: Int, now: Nanoseconds) {
        self.name = name
        self.number = number
        traffic = PoolTraffic(loopCount: loopCount, now: now)
    }
}

/// What a pool publishes of one share: part of the one snapshot that ``AdmissionSignals`` is.
package struct ShareSignals: Equatable, Sendable {
    /// As ``PoolShare/name``.
    package let name: String?
    /// Requests that asked to run.
    package let arrivals: UInt64
    package let execution: ExecutionSnapshot
    package let queued: Int
    /// As ``AdmissionSignals/queueIntegral``.
    package let queueIntegral: UInt128
    package let queuedPeak: Int
    package let oldestAge: Nanoseconds

    package var queueSeconds: Double { Double(queueIntegral) / 1e9 }
}
