// SPDX-License-Identifier: Apache-2.0
// A limit of the cluster, as one of its replicas counts it. Pure.

extension RateLimit {
    /// One replica's share. Rounded down, so that all shares together are never above the limit; where there are more
    /// replicas than requests in a period, the period is longer, and the burst is at least 1.
    package func divided(by replicas: UInt64) -> RateLimit {
        guard replicas > 1 else { return self }
        let wholePeriod = min(rate.period.multipliedReportingOverflow(by: replicas).partialValue, Rate.periods.upperBound)
        let share =
            rate.amount >= replicas
            ? Rate(amount: rate.amount / replicas, period: rate.period)
            : Rate(amount: max(1, rate.amount), period: max(wholePeriod, rate.period))
        let whole = max(1, burst / replicas)
        return RateLimit(
            name: name,
            algorithm: algorithm,
            rate: share,
            // Rounding down has made the rate slower than the burst in the worst case.
            burst: algorithm == .slidingWindow ? nil : RateLimit.refills(whole, at: share) ? whole : 1,
            key: key
        )
    }
}
