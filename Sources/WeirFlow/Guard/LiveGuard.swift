// SPDX-License-Identifier: Apache-2.0
// Whether a route is to degrade, from its windows beside its baseline. Owned by the thread that judges. Pure.

package struct GuardPolicy: Equatable, Sendable {
    package var window: Nanoseconds = 15_000_000_000
    /// So many windows in a row degrade the route, and as many bring it back.
    package var windows = 3
    /// A window is bad where a signal is above so many times its baseline ...
    package var ratio = 2.5
    /// ... and good where all are at most so many times theirs. One between decides nothing for good: a route that
    /// stands at the threshold does not go back and forth.
    package var releaseRatio = 2.0
    /// A window with fewer requests is silent: a percentile of few is one of them.
    package var requestsMin: UInt64 = 30
    /// After so many silent windows in a row a degraded route is back: nobody is left whom it would help.
    package var silentWindowsMax = 8
    /// A baseline below this counts as this. Twice of next to nothing is still next to nothing.
    package var latencyLeast: Nanoseconds = 2_000_000
    package var queueLeast: Nanoseconds = 5_000_000
    package var memoryGrowthLeast = 1_048_576.0

    package init() {}

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
package struct LiveGuard: Sendable {
    private enum State {
        /// How many bad windows came last.
        case normal(bad: Int)
        /// How many good ones came since the last that was not, and how many silent ones came last.
        case degraded(good: Int, silent: Int)
    }

    package let policy: GuardPolicy
    /// What windows are compared with; a signal without a value is not watched. May be replaced at any time, as one is
    /// learnt or read.
    package var baseline: GuardValues
    private var state = State.normal(bad: 0)

    package init(policy: GuardPolicy = GuardPolicy(), baseline: GuardValues = GuardValues()) {
        precondition(policy.windows >= 1 && policy.releaseRatio <= policy.ratio, "it is left below where it is entered")
        self.policy = policy
        self.baseline = baseline
    }

    package var isDegraded: Bool {
        if case .degraded = state { true } else { false }
    }

    /// Takes in the window that has just ended.
    package mutating func judge(_ window: GuardWindow) -> GuardTransition? {
        guard window.requests >= policy.requestsMin, let finding = finding(window) else { return passSilent() }
        switch state {
        case .normal(let bad):
            let count = finding.ratio > policy.ratio ? bad + 1 : 0
            guard count >= policy.windows else {
                state = .normal(bad: count)
                return nil
            }
            state = .degraded(good: 0, silent: 0)
            return .degraded(finding)
        case .degraded(let good, _):
            let count = finding.ratio <= policy.releaseRatio ? good + 1 : 0
            guard count >= policy.windows else {
                state = .degraded(good: count, silent: 0)
                return nil
            }
            state = .normal(bad: 0)
            return .recovered
        }
    }

    /// The signal that is highest above its baseline; nil where none is watched.
    package func finding(_ window: GuardWindow) -> GuardFinding? {
        var worst: GuardFinding?
        for signal in GuardSignal.allCases {
            guard let value = window.values[signal], let usual = baseline[signal] else { continue }
            let finding = GuardFinding(signal: signal, value: value, baseline: max(usual, policy.least(signal)))
            if let worst, worst.ratio >= finding.ratio { continue }
            worst = finding
        }
        return worst
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
        state = .normal(bad: 0)
        return .recoveredInSilence
    }
}
