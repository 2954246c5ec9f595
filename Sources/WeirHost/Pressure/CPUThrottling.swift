// SPDX-License-Identifier: Apache-2.0
// How often and for how long a group was stopped by its CPU quota: cpu.stat, v1 and v2.

/// A group's periods of its CPU quota (Linux Documentation/scheduler/sched-bwc.rst). All 0 while it has no quota.
package struct CPUThrottling: Sendable, Equatable {
    /// Periods in which some of its threads could run.
    package let periods: UInt64

    /// Those in which the quota was used up before the end.
    package let throttledPeriods: UInt64

    /// For how long it was stopped then, in seconds; each CPU's time counts.
    package let throttledSeconds: Double

    package init(periods: UInt64, throttledPeriods: UInt64, throttledSeconds: Double) {
        self.periods = periods
        self.throttledPeriods = throttledPeriods
        self.throttledSeconds = throttledSeconds
    }

    /// Nil unless all three are there: a v2 group without the cpu controller has the file without them.
    init?(folder: ControlGroupFolders.Folder, root: String) {
        let statistics = KernelStatistics(HostFile(folder.path + "/cpu.stat", root: root))
        let time = folder.isUnified ? ("throttled_usec", 1e6) : ("throttled_time", 1e9)
        guard let periods = statistics["nr_periods"], let throttled = statistics["nr_throttled"],
            let stopped = statistics[time.0]
        else { return nil }
        self.init(periods: periods, throttledPeriods: throttled, throttledSeconds: Double(stopped) / time.1)
    }

    static func + (one: CPUThrottling, other: CPUThrottling) -> CPUThrottling {
        CPUThrottling(
            periods: one.periods &+ other.periods,
            throttledPeriods: one.throttledPeriods &+ other.throttledPeriods,
            throttledSeconds: one.throttledSeconds + other.throttledSeconds
        )
    }
}
