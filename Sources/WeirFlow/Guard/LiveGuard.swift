// SPDX-License-Identifier: Apache-2.0
// Whether a route is to degrade, from its windows beside its baseline. Owned by the thread that judges. Pure.

package struct GuardPolicy: Equatable, Sendable {
    package var window: Nanoseconds
    /// So many windows in a row degrade the route, and as many bring it back.
    package var windows: Int
    /// A window is bad where a signal is above so many times its baseline.
    package var ratio: Double
    /// A window with fewer requests is silent: a percentile of few is one of them.
    package var requestsMin: UInt64 = 30
    /// After so many silent windows in a row a degraded route is back: nobody is left whom it would help.
    package var silentWindowsMax = 8
    /// A baseline below this counts as this. Twice of next to nothing is still next to nothing.
    package var latencyLeast: Nanoseconds = 2_000_000
    package var queueLeast: Nanoseconds = 5_000_000
    package var memoryGrowthLeast = 1_048_576.0

    package init(window: Nanoseconds = 15_000_000_000, windows: Int = 3, ratio: Double = 2.5) {
        precondition(window > 0 && windows >= 1 && ratio > 1, "a window has some length, and what is bad is above good")
        self.window = window
        self.windows = windows
        self.ratio = ratio
    }

    /// A window is good where all signals are at most so many times their baseline: two thirds of the way to what is bad,
    /// 2 for 2.5. One between decides nothing for good: a route that stands at the threshold does not go back and forth.
    package var releaseRatio: Double { 1 + (ratio - 1) * 2 / 3 }

    func least(_ signal: GuardSignal) -> Double {
        switch signal {
        case .latency: Double(latencyLeast)
        case .queue: Double(queueLeast)
        case .memory: memoryGrowthLeast
        }
    }
}

/// A signal beside its baseline: nanoseconds, or bytes a second.
package struct GuardFinding: Equatable, Sendable {
    package let signal: GuardSignal
    package let value: Double
    /// What it was compared with: the baseline, or the least that counts as one.
    package let baseline: Double

    package init(signal: GuardSignal, value: Double, baseline: Double) {
        self.signal = signal
        self.value = value
        self.baseline = baseline
    }

    package var ratio: Double { value / baseline }
}

/// A change for the route, the log and the metrics.
package enum GuardTransition: Equatable, Sendable {
    case degraded(GuardFinding)
    case recovered
    /// No window said so: the route has gone silent.
    case recoveredInSilence
}

/// Degrades a route after some bad windows in a row, and brings it back after as many good ones.
///
/// What the degradation takes away from a route may be just what made it slow, so a good window alone proves little. The
/// way back goes in steps: a share of the requests is served as ever all along, so that there is something to judge by,
/// and each good window makes it larger, until all are. A bad one takes it back. A route that degrades again soon after
/// needs twice as many good windows, up to eight times as many.
package struct LiveGuard: Sendable {
    private enum State {
        /// How many bad windows came last.
        case normal(bad: Int)
        /// How many good ones came since the last that was not, and how many silent ones came last.
        case degraded(good: Int, silent: Int)
    }

    /// The least share of requests that are served as ever.
    package static let shareLeast = 0.125
    /// A route that was back for fewer windows than so many times those it took has not recovered.
    private static let relapseRatio = 4
    private static let growthMax = 8

    package let policy: GuardPolicy
    /// What windows are compared with; a signal without a value is not watched. May be replaced at any time, as one is
    /// learnt or read.
    package var baseline: GuardValues
    private var state = State.normal(bad: 0)
    /// How many good windows bring the route back.
    private var goodNeeded: Int
    /// For how many windows it has been back; nil for one that has never been away.
    private var windowsBack: Int?

    package init(policy: GuardPolicy = GuardPolicy(), baseline: GuardValues = GuardValues()) {
        self.policy = policy
        self.baseline = baseline
        goodNeeded = policy.windows
    }

    package var isDegraded: Bool {
        if case .degraded = state { true } else { false }
    }

    /// Whether nothing speaks against the last window: what is learnt from.
    package var isQuiet: Bool {
        if case .normal(bad: 0) = state { true } else { false }
    }

    /// The share of requests that are served as ever.
    package var share: Double {
        guard case .degraded(let good, _) = state else { return 1 }
        return max(Self.shareLeast, Double(good) / Double(goodNeeded))
    }

    /// Takes in the window that has just ended.
    package mutating func judge(_ window: GuardWindow) -> GuardTransition? {
        if let windowsBack, !isDegraded { self.windowsBack = windowsBack + 1 }
        guard window.requests >= policy.requestsMin, let finding = finding(window) else { return passSilent() }
        switch state {
        case .normal(let bad):
            let count = finding.ratio > policy.ratio ? bad + 1 : 0
            guard count >= policy.windows else {
                state = .normal(bad: count)
                return nil
            }
            degrade()
            return .degraded(finding)
        case .degraded(let good, _):
            let count = finding.ratio <= policy.releaseRatio ? good + 1 : 0
            guard count >= goodNeeded else {
                state = .degraded(good: count, silent: 0)
                return nil
            }
            recover()
            return .recovered
        }
    }

    private mutating func degrade() {
        state = .degraded(good: 0, silent: 0)
        let isRelapse = windowsBack.map { $0 < Self.relapseRatio * goodNeeded } ?? false
        goodNeeded = isRelapse ? min(2 * goodNeeded, Self.growthMax * policy.windows) : policy.windows
    }

    private mutating func recover() {
        state = .normal(bad: 0)
        windowsBack = 0
    }

    /// The signal that is highest above its baseline; nil where none is watched.
    package func finding(_ window: GuardWindow) -> GuardFinding? {
        var worst: GuardFinding?
        for signal in GuardSignal.allCases {
            guard let finding = finding(signal, of: window) else { continue }
            if let worst, worst.ratio >= finding.ratio { continue }
            worst = finding
        }
        return worst
    }

    /// A signal beside its baseline; nil where it is not watched, or the window has no value of it.
    package func finding(_ signal: GuardSignal, of window: GuardWindow) -> GuardFinding? {
        guard let value = window.values[signal], let usual = baseline[signal] else { return nil }
        return GuardFinding(signal: signal, value: value, baseline: max(usual, policy.least(signal)))
    }

    /// A silent window ends a row of bad ones, and neither lengthens nor ends one of good ones.
    private mutating func passSilent() -> GuardTransition? {
        guard case .degraded(let good, let silent) = state else {
            state = .normal(bad: 0)
            return nil
        }
        guard silent + 1 >= policy.silentWindowsMax else {
            state = .degraded(good: good, silent: silent + 1)
            return nil
        }
        recover()
        return .recoveredInSilence
    }
}
