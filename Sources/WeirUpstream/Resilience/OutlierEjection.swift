// SPDX-License-Identifier: Apache-2.0
// Which endpoints of an upstream are ejected, and for how long. Off the hot path: whoever calls it holds its lock.

package import WeirEventLoop

/// Ejects endpoints whose requests end worse than those of the others, and lets them back.
///
/// It is for those that answer, but badly or late, as seen beside the others. An endpoint that cannot be connected to is
/// ``CircuitBreaker``'s, which needs no comparison and reacts within milliseconds; so connection failures make no run
/// here. They count in the share that failed, as some breaks between answers never open a breaker.
package struct OutlierEjection {
    /// What is known of an endpoint at the time of a call.
    package struct Observed {
        package let endpoint: String
        /// Tells an endpoint from a later one of the same name, whose counts begin anew.
        package let serial: UInt64
        package let counts: OutcomeCounts
        /// Whether it would get requests if it were not ejected: its checks pass, its breaker is not open.
        package let isUsable: Bool

        package init(endpoint: String, serial: UInt64 = 0, counts: OutcomeCounts, isUsable: Bool = true) {
            self.endpoint = endpoint
            self.serial = serial
            self.counts = counts
            self.isUsable = isUsable
        }
    }

    private struct Member {
        enum Phase {
            case used(since: Nanoseconds)
            case ejected(until: Nanoseconds)
        }

        var phase: Phase
        let serial: UInt64
        /// Ejections that are not forgotten yet.
        var ejections = 0
        /// Failures up to this one belong to no run.
        var runBase: UInt64 = 0
        /// What the last look read, and all that came between the looks: a word of counts goes round where it is not
        /// read for long, and intervals may be.
        var read: OutcomeCounts
        var total = OutcomeWindow()
        /// The totals at the ends of the last intervals, the oldest first; never empty.
        var history = [OutcomeWindow()]

        var isEjected: Bool {
            if case .ejected = phase { true } else { false }
        }

        func reading(_ counts: OutcomeCounts) -> Member {
            var member = self
            member.total = total + (counts - read)
            member.read = counts
            return member
        }
    }

    /// Over how many intervals those with little traffic are compared.
    package static let horizonIntervals = 6

    /// Another one leaves who is ejected as they are, until the time that was set.
    package var policy: OutlierPolicy {
        didSet {
            comparison = OutlierComparison(policy)
            guard policy.interval != oldValue.interval else { return }
            intervalEnd = intervalEnd.map { $0 - min($0, oldValue.interval) + policy.interval }
        }
    }
    private var comparison: OutlierComparison
    private var members: [String: Member] = [:]
    private var intervalEnd: Nanoseconds?
    /// Outliers that stayed, because too many others were ejected or it was the last.
    package private(set) var sparedCount: UInt64 = 0

    package init(policy: OutlierPolicy = OutlierPolicy()) {
        self.policy = policy
        comparison = OutlierComparison(policy)
    }

    package func isEjected(_ endpoint: String) -> Bool { members[endpoint]?.isEjected ?? false }

    package var ejectedCount: Int { members.values.count { $0.isEjected } }

    /// Looks at the endpoints: each second or so, where a run of failures asks for it, and where the usable ones change.
    ///
    /// Who is not in the list is forgotten; names are unique.
    /// - Returns: what changed, in the order in which it did.
    /// - Complexity: O(endpoints), times the endpoints that are ejected.
    package mutating func evaluate(
        _ observed: [Observed],
        now: Nanoseconds,
        using random: inout some RandomNumberGenerator
    ) -> [EjectionEvent] {
        adopt(observed, now)
        var events = returnDue(observed, now)
        ejectRuns(observed, now, &events, &random)
        let end = intervalEnd ?? now + policy.interval
        intervalEnd = end
        if now >= end {
            intervalEnd = now + policy.interval
            ejectOutliers(observed, now, &events, &random)
            endInterval(observed, now)
        }
        returnLast(observed, now, &events)
        return events
    }

    private mutating func adopt(_ observed: [Observed], _ now: Nanoseconds) {
        var present: [String: Member] = [:]
        for one in observed {
            if let known = members[one.endpoint], known.serial == one.serial {
                present[one.endpoint] = known.reading(one.counts)
            } else {
                present[one.endpoint] = Member(phase: .used(since: now), serial: one.serial, read: one.counts)
            }
        }
        members = present
    }

    // MARK: Out

    private mutating func ejectRuns(
        _ observed: [Observed],
        _ now: Nanoseconds,
        _ events: inout [EjectionEvent],
        _ random: inout some RandomNumberGenerator
    ) {
        // Where all fail together the cause is behind them, and none is an outlier: somebody's run is much shorter.
        while true {
            let contenders = contenders(observed)
            let shortest = contenders.map { run($0) }.min() ?? 0
            let all = contenders.reduce(OutcomeWindow()) { $0 + window($1, Self.horizonIntervals) }
            let outlier = contenders.first { one in
                let (run, own) = (run(one), window(one, Self.horizonIntervals))
                return run >= policy.consecutiveFailures && shortest <= run / 2
                    && comparison.isUnlikely(run: run, among: own.total, others: all - own)
            }
            guard let outlier else { return }
            let cause = EjectionCause.consecutiveFailures(run(outlier))
            guard eject(outlier, cause, observed, now, &events, &random) else { return }
        }
    }

    /// The worst first: what it spoils of the others' counts is no longer in the way of the next.
    private mutating func ejectOutliers(
        _ observed: [Observed],
        _ now: Nanoseconds,
        _ events: inout [EjectionEvent],
        _ random: inout some RandomNumberGenerator
    ) {
        while let (worst, cause) = worst(contenders(observed)) {
            guard eject(worst, cause, observed, now, &events, &random) else { return }
        }
    }

    private func worst(_ contenders: [Observed]) -> (Observed, EjectionCause)? {
        var worst: (one: Observed, cause: EjectionCause)?
        // Over the shortest time in which there are enough requests.
        for horizon in [1, Self.horizonIntervals] {
            let all = contenders.reduce(OutcomeWindow()) { $0 + window($1, horizon) }
            for one in contenders {
                let own = window(one, horizon)
                guard horizon == 1 || window(one, 1).total < policy.volumeMin,
                    let cause = comparison.cause(own, others: all - own)
                else { continue }
                if let present = worst, present.cause.excess >= cause.excess { continue }
                worst = (one, cause)
            }
        }
        return worst
    }

    private mutating func eject(
        _ one: Observed,
        _ cause: EjectionCause,
        _ observed: [Observed],
        _ now: Nanoseconds,
        _ events: inout [EjectionEvent],
        _ random: inout some RandomNumberGenerator
    ) -> Bool {
        let ejectedMax = max(1, observed.count * policy.ejectedPercentMax / 100)
        guard contenders(observed).count > 1, ejectedCount < ejectedMax else {
            sparedCount += 1
            return false
        }
        let length = policy.duration(after: members[one.endpoint]?.ejections ?? 0, using: &random)
        members[one.endpoint]?.phase = .ejected(until: now + length)
        members[one.endpoint]?.ejections += 1
        events.append(EjectionEvent(endpoint: one.endpoint, change: .ejected(cause, for: length)))
        return true
    }

    // MARK: Back

    private mutating func returnDue(_ observed: [Observed], _ now: Nanoseconds) -> [EjectionEvent] {
        var events: [EjectionEvent] = []
        for one in observed {
            guard case .ejected(let until) = members[one.endpoint]?.phase, now >= until else { continue }
            readmit(one, now)
            events.append(EjectionEvent(endpoint: one.endpoint, change: .returned))
        }
        return events
    }

    /// The others may fail their checks after one was ejected.
    private mutating func returnLast(_ observed: [Observed], _ now: Nanoseconds, _ events: inout [EjectionEvent]) {
        guard contenders(observed).isEmpty else { return }
        var next: (one: Observed, until: Nanoseconds)?
        for one in observed where one.isUsable {
            guard case .ejected(let until) = members[one.endpoint]?.phase else { continue }
            if let next, next.until <= until { continue }
            next = (one, until)
        }
        guard let next else { return }
        readmit(next.one, now)
        events.append(EjectionEvent(endpoint: next.one.endpoint, change: .returnedAsLast))
    }

    /// It is judged by what it does from now on.
    private mutating func readmit(_ one: Observed, _ now: Nanoseconds) {
        members[one.endpoint]?.phase = .used(since: now)
        members[one.endpoint]?.runBase = one.counts.runFailures
        if let total = members[one.endpoint]?.total { members[one.endpoint]?.history = [total] }
    }

    // MARK: What is compared

    /// Those that get requests.
    private func contenders(_ observed: [Observed]) -> [Observed] {
        observed.filter { $0.isUsable && !isEjected($0.endpoint) }
    }

    private func run(_ one: Observed) -> Int { one.counts.run(since: members[one.endpoint]?.runBase ?? 0) }

    /// What it did in the interval that ends now, and those before; less where less is known of it.
    private func window(_ one: Observed, _ intervals: Int) -> OutcomeWindow {
        guard let member = members[one.endpoint] else { return OutcomeWindow() }
        return member.total - member.history[max(0, member.history.count - intervals)]
    }

    private mutating func endInterval(_ observed: [Observed], _ now: Nanoseconds) {
        for one in observed {
            guard var member = members[one.endpoint] else { continue }
            if member.history.count == Self.horizonIntervals { member.history.removeFirst() }
            member.history.append(member.total)
            if case .used(let since) = member.phase, member.ejections > 0, now >= since + policy.ejectionBase {
                member.ejections -= 1
                member.phase = .used(since: now)
            }
            members[one.endpoint] = member
        }
    }
}

extension EjectionCause {
    /// How much worse than the others: failures before latency.
    fileprivate var excess: Double {
        switch self {
        case .consecutiveFailures: 3
        case .failureRate(let own, let others): 1 + own - others
        case .latency(let own, let others): 1 - Double(others) / Double(own)
        }
    }
}
