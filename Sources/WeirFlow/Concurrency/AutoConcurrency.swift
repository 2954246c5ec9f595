// SPDX-License-Identifier: Apache-2.0
// Finds the concurrency limit from latency. Owned by the one thread that calls `update`; reads no clock.

/// The concurrency limit that a service's own latency asks for.
///
/// A service that works on C requests at once queues the others inside itself. With a limit of L that is used up,
/// Little's law (L = throughput × latency) makes the latency R = R0 × L / C where L is above C, and R = R0 below. So
/// the gradient R0 / R tells the knee, C = L × R0 / R, as in Netflix' concurrency-limits (`Gradient2Limit`). The weak
/// point there is R0: a long-term mean learns the queue's own latency, and the limit drifts up. Envoy's adaptive
/// concurrency measures it, and stops nearly all traffic to do so.
///
/// Here R0 comes from a *probe*: now and then the limit goes a little below the knee, to 0.8 × C, for as long as some
/// hundred requests take. What latency is left is not the queue's. Where the estimate was right, a probe costs a fifth
/// of the throughput for a ninth of the time; where it was too high, nothing, and the estimate falls. (BBR looks for
/// the bandwidth of a path by such small steps to both sides.)
///
/// It begins as TCP does, by doubling for as long as the latency stays what it was (slow start): the first queue ends
/// that for good.
///
/// ```
///  at L ─┬─ few requests met the limit ──────────────> L stays: nothing was learnt about it
///        ├─ many failed ─────────────────────────────> L falls by their share, and rises again if that cost throughput
///        ├─ R is about R0 ───────────────────────────> L × growth, and look again soon
///        └─ R is not as foretold, or a probe is due ─> probe for R0 ─> L = headroom × L × R0 / R
/// ```
///
/// In simulation (`AutoConcurrencyTests`) the limit is near the knee within 25 s of any change for services of 1 × 1 ms
/// to 100 × 200 ms, and within 1 to 4 s of the start for 20 × 50 ms to 1000 × 50 ms and 5 × 1 s. It rests at 1.25 × the
/// knee (rounded up), and serves 96 to 98 % of the capacity; 93 % at worst where latencies have a heavy tail, when it
/// goes back and forth between 0.5 and 2 × the knee. What nobody meets is not judged: a limit that starts too high is
/// found too high once it is used up.
package struct AutoConcurrency {
    /// The limit that holds now.
    package private(set) var limit: Int

    private let samples: LatencySamples
    private var range: ClosedRange<Int>
    private var phase = Phase.start
    private var window: Window?

    // What is known of the service; nil until then, and the knee also while the limit climbs.
    private var baseline: LatencySum?
    private var knee: Double?

    private var foretoldLatency = Double.infinity
    private var probeDue: Nanoseconds = 0
    private var isQueueBelowProbe = false
    private var cautiousUntil: Nanoseconds = 0

    /// What held before the first of several steps down for failures.
    private var descent: Descent?
    /// The share of requests that fails whatever the limit is.
    private var toleratedFailures = 0.0

    private struct Descent {
        let limit: Int
        /// Requests that did not fail, for each second.
        let throughput: Double
    }

    private enum Phase {
        /// Until a queue shows for the first time: the limit doubles on as little as tells one, as TCP's slow start does.
        case start
        /// Until a queue shows. The next step puts a mistake right, so a rough look is enough.
        case climb
        case cruise
        /// With the limit and the latency of the cruise before.
        case probe(cruiseLimit: Int, cruised: LatencySum, since: Nanoseconds)
    }

    /// What has been recorded since the limit changed.
    private struct Window {
        var start: Nanoseconds
        var totals: LatencyTotals
        /// As many have to end first as may have begun under the old limit. Nil once they have.
        var settling: UInt64?
    }

    /// - Parameters:
    ///   - samples: where the loops record.
    ///   - start: the limit to begin with; it is brought into the range. From below, the knee is found soonest.
    ///   - least: what the limit never falls below, at least 1; the number of CPUs is a good one.
    ///   - most: what the limit never rises above; ``mostPerCPU`` for each CPU is a good one.
    package init(samples: LatencySamples, start: Int, least: Int, most: Int) {
        precondition(least >= 1 && least <= most, "a limit is at least 1, and the least not above the most")
        self.samples = samples
        range = least...most
        limit = min(max(start, least), most)
        samples.publish(limit: limit)
    }

    /// The service has more or fewer CPUs: the limit comes into this range at once, and goes on from there.
    package mutating func setRange(least: Int, most: Int) {
        precondition(least >= 1 && least <= most, "a limit is at least 1, and the least not above the most")
        range = least...most
        let bounded = min(max(limit, least), most)
        guard bounded != limit else { return }
        limit = bounded
        samples.publish(limit: bounded)
        // What was recorded under another limit says nothing of this one.
        window = nil
    }

    /// Takes in what has been recorded, and answers the limit that holds from now on.
    ///
    /// To be called every ``updateInterval`` or so; if it is called less often, the same limit is found later.
    package mutating func update(now: Nanoseconds) -> Int {
        let totals = samples.totals
        guard let window = settledWindow(totals, now: now) else { return limit }
        let seen = totals - window.totals
        let elapsed = now &- window.start
        guard seen.endedCount >= samplesNeeded else { return limit }
        let failures = Double(seen.failureCount) / Double(seen.endedCount)
        // Slowly: a window that has fewer by chance proves nothing.
        toleratedFailures += min(0, failures - toleratedFailures) * Self.toleranceFades
        // Beyond what chance does to a share of so few.
        let noise = 2 * (toleratedFailures * (1 - toleratedFailures) / Double(seen.endedCount)).squareRoot()
        if failures > toleratedFailures + Self.failuresMost + noise {
            retreat(seen, totals, elapsed: elapsed, now: now)
            return limit
        }
        descent = nil
        if case .probe(let cruiseLimit, let cruised, let since) = phase {
            guard isExact(seen.all, elapsed: elapsed) else { return limit }
            endProbe(of: cruiseLimit, cruised, took: now &- since, found: seen.all, totals, now: now)
        } else if seen.bound.count * Self.boundShare >= seen.endedCount {
            judge(seen.bound, isExact: isExact(seen.bound, elapsed: elapsed), totals, now: now)
        } else if isExact(seen.all, elapsed: elapsed) {
            // A lower latency is always true; a higher one may be a queue's, which only a probe can tell.
            if let baseline, seen.all.mean < baseline.mean { self.baseline = seen.all }
            self.window = Window(start: now, totals: totals)
        }
        return limit
    }

    /// The window, once those that began before it have ended.
    private mutating func settledWindow(_ totals: LatencyTotals, now: Nanoseconds) -> Window? {
        guard let current = window else {
            window = Window(start: now, totals: totals)
            return nil
        }
        guard let settling = current.settling else { return current }
        if (totals - current.totals).endedCount >= settling { window = Window(start: now, totals: totals) }
        return nil
    }

    private var samplesNeeded: UInt64 {
        if case .start = phase { return max(Self.samplesLeastAtStart, UInt64(limit)) }
        return max(Self.samplesLeast, 2 * UInt64(limit))
    }

    private func isExact(_ seen: LatencySum, elapsed: Nanoseconds) -> Bool {
        seen.error <= Self.errorEnough || seen.count >= Self.samplesEnough || elapsed >= Self.windowLong
    }

    /// Judges the latency at the limit. Its mean gets better for as long as nothing comes of it.
    private mutating func judge(_ latency: LatencySum, isExact: Bool, _ totals: LatencyTotals, now: Nanoseconds) {
        guard isClimbing || isExact else { return }
        if case .start = phase, baseline == nil, limit < range.upperBound {
            // With nothing to compare it with, it is taken for the service's own; a probe puts that right.
            baseline = latency
            return grow(from: limit, totals, now: now)
        }
        if let baseline, limit < range.upperBound {
            let tolerance = Self.tolerance(latency, baseline)
            if latency.mean <= baseline.mean * tolerance {
                let isFaster = latency.mean * tolerance < baseline.mean
                self.baseline = isFaster ? latency : baseline + latency
                return grow(from: limit, totals, now: now)
            }
        }
        phase = .cruise
        let isNews = latency.mean > foretoldLatency * Self.surprise
        if isExact && (isNews || now >= probeDue) { probe(latency, isNews: isNews, totals, now: now) }
    }

    private mutating func probe(_ latency: LatencySum, isNews: Bool, _ totals: LatencyTotals, now: Nanoseconds) {
        let cruiseLimit = limit
        let gradient = min(1, (baseline?.mean ?? latency.mean) / latency.mean)
        let kneeNow = Double(limit) * gradient
        let center = isNews ? kneeNow : knee ?? kneeNow
        let target = (center * (isQueueBelowProbe ? Self.probeShareDeep : Self.probeShare)).rounded()
        move(to: min(max(target, Double(limit) * Self.probeLeast), Double(limit - 1)), totals, now: now)
        guard limit < cruiseLimit else {
            // The limit is at its least: there is nothing below to compare with.
            baseline = latency
            return grow(from: limit, totals, now: now)
        }
        phase = .probe(cruiseLimit: cruiseLimit, cruised: latency, since: now)
    }

    private mutating func endProbe(
        of cruiseLimit: Int,
        _ cruised: LatencySum,
        took: Nanoseconds,
        found: LatencySum,
        _ totals: LatencyTotals,
        now: Nanoseconds
    ) {
        baseline = found
        let ratio = cruised.mean / found.mean
        guard ratio > Self.tolerance(cruised, found) else {
            isQueueBelowProbe = false
            return grow(from: cruiseLimit, totals, now: now)
        }
        var knee = Double(cruiseLimit) / ratio
        // The same throughput at both limits: the probe was still above the knee.
        isQueueBelowProbe = knee < Double(limit) * Self.sameThroughput
        // As long as the service stays as it is, several probes know more than one.
        if let known = self.knee, !isQueueBelowProbe, knee > known / Self.surprise, knee < known * Self.surprise {
            knee = known + (knee - known) * Self.probeWeight
        }
        self.knee = knee
        move(to: (knee * Self.headroom).rounded(.up), totals, now: now)
        phase = .cruise
        foretoldLatency = found.mean * max(1, Double(limit) / knee)
        let change = Double(limit) / Double(cruiseLimit)
        let isSettled = change >= Self.probeShare && change <= 1 / Self.probeShare
        probeDue = isSettled ? now &+ took &* Self.cruisesPerProbe : now
    }

    private mutating func grow(from cruiseLimit: Int, _ totals: LatencyTotals, now: Nanoseconds) {
        let factor: Double
        switch phase {
        case _ where now < cautiousUntil: factor = 1
        case .start: factor = Self.growthAtStart
        case .climb: factor = Self.growth
        case .cruise, .probe: factor = Self.headroom
        }
        move(to: max(Double(cruiseLimit) * factor, Double(cruiseLimit + 1)), totals, now: now)
        if case .start = phase {} else { phase = .climb }
        knee = nil
        probeDue = now
    }

    /// Lowers the limit for failures. Fewer at once help where there are too many at once; where the throughput falls
    /// with the limit instead, the failures have another reason, and the limit goes back to where it was.
    private mutating func retreat(
        _ seen: LatencyTotals,
        _ totals: LatencyTotals,
        elapsed: Nanoseconds,
        now: Nanoseconds
    ) {
        let failed = Double(seen.failureCount) / Double(seen.endedCount)
        let throughput = Double(seen.endedCount - seen.failureCount) / (Double(max(1, elapsed)) / 1e9)
        let start = descent ?? Descent(limit: limit, throughput: throughput)
        let descended = Double(limit) / Double(start.limit)
        phase = .cruise
        if descended <= Self.descentJudged {
            descent = nil
            // Halfway between what a limit that holds everything back costs, and nothing.
            if start.throughput > 0, throughput < start.throughput * (1 + descended) / 2 {
                toleratedFailures = failed
                cautiousUntil = now
                return move(to: Double(start.limit), totals, now: now)
            }
        } else {
            descent = start
        }
        move(to: Double(limit) * (1 - min(failed, Self.retreatMost)), totals, now: now)
        cautiousUntil = now &+ Self.caution
    }

    private mutating func move(to target: Double, _ totals: LatencyTotals, now: Nanoseconds) {
        let before = limit
        // Within `Int`: the target is at most a few times a limit.
        limit = min(max(Int(min(target, Double(range.upperBound))), range.lowerBound), range.upperBound)
        samples.publish(limit: limit)
        window = Window(start: now, totals: totals, settling: UInt64(max(before, limit)))
    }

    private var isClimbing: Bool {
        switch phase {
        case .start, .climb: true
        case .cruise, .probe: false
        }
    }
}
