// SPDX-License-Identifier: Apache-2.0
// One endpoint against the others together: the tests behind an ejection. Pure.

import Glibc
import WeirEventLoop

/// Compared with the pooled counts of the others, two endpoints are enough. Envoy's mean less some standard deviations
/// of the endpoints' rates needs five: among three no rate can lie more than 1.2 deviations from the mean.
package struct OutlierComparison {
    let policy: OutlierPolicy

    package init(_ policy: OutlierPolicy) { self.policy = policy }

    /// Why the endpoint is worse than the others in this time; nil if it is not, or nothing certain can be said.
    package func cause(_ own: OutcomeWindow, others: OutcomeWindow) -> EjectionCause? {
        failureRate(own, others) ?? latency(own, others)
    }

    private func failureRate(_ own: OutcomeWindow, _ others: OutcomeWindow) -> EjectionCause? {
        guard own.total >= policy.volumeMin, others.total >= policy.volumeMin,
            own.failureShare - others.failureShare >= policy.failureMargin,
            own.failureShare >= others.failureShare * policy.failureRatio,
            Self.chance(own, others) <= policy.significance
        else { return nil }
        return .failureRate(own.failureShare, others: others.failureShare)
    }

    private func latency(_ own: OutcomeWindow, _ others: OutcomeWindow) -> EjectionCause? {
        guard let ratio = policy.latencyRatio, own.answered >= policy.volumeMin, others.answered >= policy.volumeMin
        else { return nil }
        let (latency, usual) = (own.typicalLatency, others.typicalLatency)
        // Welch's form: each side's own spread, as a slow endpoint's is another one.
        let error = (own.squaredError + others.squaredError).squareRoot()
        guard own.meanLogarithm - others.meanLogarithm >= log2(ratio) + policy.latencyErrors * error,
            latency - usual >= Double(policy.latencyMargin)
        else { return nil }
        return .latency(Nanoseconds(latency), others: Nanoseconds(usual))
    }

    /// Whether a run of failures is more than the others' share of failures lets one expect somewhere among so many
    /// requests. Of two that fail three times in ten each, either has five in a row every few seconds.
    func isUnlikely(run: Int, among total: Int, others: OutcomeWindow) -> Bool {
        // Laplace's rule of succession: no failure in few requests does not say that none will come.
        let share = Double(others.failed + 1) / Double(others.total + 2)
        return Double(max(total, run)) * pow(share, Double(run)) <= policy.significance
    }

    /// How likely it is that at least so many of the failures fall on the endpoint's requests if they fall on all alike:
    /// Fisher's exact test, one-sided. An approximation by the normal distribution is wrong by orders of magnitude for
    /// the few failures that low traffic has.
    ///
    /// - Precondition: the endpoint's share is not below the others'. Then terms only fall, and few are looked at.
    package static func chance(_ own: OutcomeWindow, _ others: OutcomeWindow) -> Double {
        let failed = own.failed + others.failed
        var term = exp(
            logChoose(own.total, own.failed) + logChoose(others.total, others.failed)
                - logChoose(own.total + others.total, failed)
        )
        var sum = term
        for count in own.failed..<min(own.total, failed) {
            let more = Double(own.total - count) * Double(failed - count)
            term *= more / (Double(count + 1) * Double(others.total - failed + count + 1))
            sum += term
            if term < sum * 1e-9 { break }
        }
        return sum
    }

    private static func logChoose(_ count: Int, _ chosen: Int) -> Double {
        logFactorial(count) - logFactorial(chosen) - logFactorial(count - chosen)
    }

    private static func logFactorial(_ number: Int) -> Double { lgamma(Double(number) + 1).0 }
}
