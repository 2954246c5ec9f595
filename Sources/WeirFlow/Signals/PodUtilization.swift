// SPDX-License-Identifier: Apache-2.0
// The utilization of a pod whose routes may have pools of their own. Owned by the one thread that feeds it; reads no
// clock.

/// How full each pool is, over its own limit, and with that the pod.
///
/// A pod is as full as its fullest part. Were its pools added up, a full one of few places would vanish beside an idle
/// one of many: its requests are turned away, and nobody adds pods. More pods divide the load of the full one too.
package struct PodUtilization {
    private let window: Nanoseconds
    private var windows: [UtilizationWindow] = []

    package init(window: Nanoseconds) {
        self.window = window
    }

    /// The pools are others from now on: for each says which it was in the order of the last time, nil for a new one.
    package mutating func rearrange(_ former: [Int?]) {
        windows = former.map { $0.map { windows[$0] } ?? UtilizationWindow(window: window) }
    }

    /// Takes in the counters of all pools as they stand, in the order of the last time, those that are new at the
    /// end. Answers the offered load of each, and the utilization of the pod.
    package mutating func update(
        pools: [UtilizationCounters],
        busyNanoseconds: [UInt64],
        now: Nanoseconds
    ) -> (offeredLoads: [Double], ratio: Double) {
        while windows.count < pools.count { windows.append(UtilizationWindow(window: window)) }
        var ratio = 0.0
        let offeredLoads = pools.indices.map { index in
            var counters = pools[index]
            // Loops belong to all pools; with the first they are looked at once.
            if index == 0 { counters.busyNanoseconds = busyNanoseconds }
            let utilization = windows[index].update(counters, now: now)
            ratio = max(ratio, utilization.ratio)
            return utilization.offeredLoad
        }
        return (offeredLoads, ratio)
    }
}
