// SPDX-License-Identifier: Apache-2.0
// What the pools say, each at one instant: the one source of /metrics and /queue. Read on the admin thread.

package import WeirFlow

/// What one scrape reads of admission. Every figure of it that is shown twice comes from here, and is the same.
package struct FlowSnapshot {
    /// A pool at one instant.
    package struct Pool {
        package let name: String
        package let signals: AdmissionSignals
        /// The offered load over the limit.
        package let utilization: Double

        package init(name: String, signals: AdmissionSignals, utilization: Double) {
            self.name = name
            self.signals = signals
            self.utilization = utilization
        }
    }

    /// The pod's first.
    package let pools: [Pool]
    /// `weir_utilization_ratio`.
    package let utilization: Double

    package init(pools: [Pool], utilization: Double) {
        self.pools = pools
        self.utilization = utilization
    }

    /// - Parameter now: the instant of the integrals and ages.
    init(_ flow: FlowControl, now: Nanoseconds) {
        pools = flow.pools.map { named in
            Pool(name: named.name, signals: named.pool.signals(now: now), utilization: named.pool.utilization)
        }
        utilization = flow.utilization
    }
}
