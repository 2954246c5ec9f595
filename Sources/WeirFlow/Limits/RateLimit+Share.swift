// SPDX-License-Identifier: Apache-2.0
// A limit of the cluster, as one of its replicas counts it. Pure.

extension RateLimit {
    /// One replica's share. Rounded down, so that all shares together are not above the limit; where there are more
    /// replicas than requests in a period, the period is longer. What is left of a burst is at least 1, as is the
    /// amount of the longest period.
    package func divided(by replicas: UInt64) -> RateLimit {
        guard replicas > 1 else { return self }
        let share =
            rate.amount >= replicas ? Rate(amount: rate.amount / replicas, period: rate.period) : stretched(replicas)
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

    /// As many requests in so many periods, or what of them falls into the longest period.
    private func stretched(_ replicas: UInt64) -> Rate {
        // Below 2⁵⁵ × 2⁶⁴.
        let whole = UInt128(rate.period) * UInt128(replicas)
        let period = min(whole, UInt128(Rate.periods.upperBound))
        return Rate(amount: max(1, UInt64(UInt128(rate.amount) * period / whole)), period: UInt64(period))
    }
}
