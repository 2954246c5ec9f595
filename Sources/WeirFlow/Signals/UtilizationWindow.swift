// SPDX-License-Identifier: Apache-2.0
// The utilization of one pool over a window of time. Owned by the one thread that feeds it; reads no clock.

/// How full a pool is, and the loops. 1 is full; 3 asks for three times as many pods.
package struct Utilization: Sendable, Equatable {
    /// The concurrency that the requests which arrived would need, as a share of the limit. They need not have been
    /// admitted: beyond 1 it says how much is turned away.
    package var offeredLoad = 0.0

    /// The share of the time that the busiest loop was busy.
    package var busiestLoop = 0.0

    package init() {}

    package var ratio: Double { max(offeredLoad, busiestLoop) }
}

/// What has been counted since the start; none but ``ExecutionSnapshot/executing`` and ``limit`` ever steps back.
package struct UtilizationCounters: Sendable {
    /// Requests that arrived, but for those that a rate limit refused.
    package var arrivals: UInt64

    /// What executes, and what has: of all loops together.
    package var execution: ExecutionSnapshot

    /// How many may execute; at least 1.
    package var limit: Int

    /// For each loop, how long it did not wait for events.
    package var busyNanoseconds: [UInt64]

    package init(arrivals: UInt64, execution: ExecutionSnapshot, limit: Int, busyNanoseconds: [UInt64] = []) {
        self.arrivals = arrivals
        self.execution = execution
        self.limit = limit
        self.busyNanoseconds = busyNanoseconds
    }
}

/// The utilization over the window behind now, from differences of counters.
///
/// Offered load = arrivals × mean execution time / (window × limit). What began within the window was idle before. The
/// mean is of those that were completed in the window. Where these are too few, it is of those since there were enough, or more if what executes tells so: of
/// requests longer than the window there may be none that is complete. It tells the mean age, but no more than the time
/// that was executed for each that began in the window: one long request among a few short ones is not the mean.
package struct UtilizationWindow {
    private struct Sample {
        var counters: UtilizationCounters
        var limitNanoseconds: UInt64
        var instant: Nanoseconds

        func completions(since base: Sample) -> UInt64 {
            counters.execution.completions &- base.counters.execution.completions
        }

        func meanCompleted(since base: Sample) -> Double {
            let time = counters.execution.completedNanoseconds &- base.counters.execution.completedNanoseconds
            return Double(time) / Double(max(1, completions(since: base)))
        }

        /// Time executed for each request that has begun: a few long ones among many that were quick count as a few.
        func meanBegun(since base: Sample) -> Double {
            let time = counters.execution.requestNanoseconds &- base.counters.execution.requestNanoseconds
            let begun = counters.execution.executing - base.counters.execution.executing
            return Double(time) / Double(max(1, Int(clamping: completions(since: base)) + begun))
        }

        var meanAge: Double {
            let execution = counters.execution
            let ages = Int64(bitPattern: execution.requestNanoseconds &- execution.completedNanoseconds)
            return execution.executing > 0 ? Double(max(0, ages)) / Double(execution.executing) : 0
        }
    }

    /// How many samples a window has; feeding more often adds none.
    package static let samplesPerWindow = 40

    /// A mean of fewer executions says little.
    static let completionsEnough: UInt64 = 20

    private let window: Nanoseconds
    // The oldest is at `head`; all but that one are within the window, once it has passed.
    private var ring: [Sample] = []
    private var head = 0
    private var latest: Sample?

    // A window and enough completions lie between the two, so since the first there are always enough, but at the start.
    private var meanBase: Sample?
    private var nextMeanBase: Sample?

    package init(window: Nanoseconds = 10_000_000_000) {
        precondition(window >= UInt64(Self.samplesPerWindow), "a window has some length")
        self.window = window
        ring.reserveCapacity(Self.samplesPerWindow + 1)
    }

    /// Takes in the counters as they stand, and answers the utilization. Each 250 ms to 1 s, and at each scrape.
    package mutating func update(_ counters: UtilizationCounters, now: Nanoseconds) -> Utilization {
        precondition(counters.limit >= 1, "a limit is at least 1")
        var limitNanoseconds: UInt64 = 0
        if let latest {
            // The limit of the last update has held since.
            let held = max(now, latest.instant) - latest.instant
            limitNanoseconds = latest.limitNanoseconds &+ UInt64(latest.counters.limit) &* held
        }
        let sample = Sample(counters: counters, limitNanoseconds: limitNanoseconds, instant: now)
        latest = sample
        let base = base(for: sample)
        keepMeanBase(sample)
        return utilization(from: base, to: sample)
    }

    /// The last sample that is as old as the window, or the oldest; keeps the new one if its turn has come.
    private mutating func base(for sample: Sample) -> Sample {
        guard let newest = ring.isEmpty ? nil : ring[(head + ring.count - 1) % ring.count] else {
            ring.append(sample)
            return sample
        }
        if sample.instant >= newest.instant + window / UInt64(Self.samplesPerWindow) {
            if ring.count <= Self.samplesPerWindow {
                ring.append(sample)
            } else {
                ring[head] = sample
                head = (head + 1) % ring.count
            }
        }
        var base = ring[head]
        for offset in 1..<max(1, ring.count) {
            let next = ring[(head + offset) % ring.count]
            guard next.instant + window <= sample.instant else { break }
            base = next
        }
        return base
    }

    private mutating func keepMeanBase(_ sample: Sample) {
        guard let next = nextMeanBase else {
            meanBase = sample
            nextMeanBase = sample
            return
        }
        let completions = sample.completions(since: next)
        if completions >= Self.completionsEnough && sample.instant >= next.instant + window {
            meanBase = next
            nextMeanBase = sample
        }
    }

    private func utilization(from base: Sample, to sample: Sample) -> Utilization {
        var result = Utilization()
        guard sample.instant > base.instant else { return result }
        let elapsed = Double(sample.instant - base.instant)
        let arrivals = Double(sample.counters.arrivals &- base.counters.arrivals)
        // Before the first sample it was idle, and those whose load it takes over still have that in their windows: so
        // the sum over all pods is what is offered, and not up to twice that when pods are added.
        let missing = max(0, Double(window) - elapsed) * Double(base.counters.limit)
        let limitNanoseconds = Double(sample.limitNanoseconds &- base.limitNanoseconds) + missing
        result.offeredLoad = arrivals * meanExecution(from: base, to: sample) / limitNanoseconds
        let before = base.counters.busyNanoseconds
        for (index, now) in sample.counters.busyNanoseconds.enumerated() {
            // A loop that has come since was not busy before.
            let busy = now &- (index < before.count ? before[index] : 0)
            result.busiestLoop = max(result.busiestLoop, Double(busy) / elapsed)
        }
        return result
    }

    private func meanExecution(from base: Sample, to sample: Sample) -> Double {
        if sample.completions(since: base) >= Self.completionsEnough { return sample.meanCompleted(since: base) }
        let mean = meanBase.map { sample.meanCompleted(since: $0) } ?? 0
        return max(mean, min(sample.meanAge, sample.meanBegun(since: base)))
    }
}
