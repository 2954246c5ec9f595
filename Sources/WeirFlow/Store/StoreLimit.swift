// SPDX-License-Identifier: Apache-2.0
// A limit as a store counts it that all replicas share. A value.

/// A limit as GCRA (ITU-T I.371, the continuous-state leaky bucket): each request owes the emission interval, what is
/// owed drains with time, and what would owe more than the tolerance is refused.
package struct StoreLimit: Sendable, Equatable {
    /// The longest interval or tolerance, 52 days: a store may compute in doubles, which are exact up to twice this.
    package static let nanosecondsMax: Nanoseconds = 1 << 52
    /// The most limits on one request.
    package static let perRequestMax = 8

    /// Tells the limits of one store apart; the same on every replica.
    package let name: String
    /// Between two requests at the limit's rate: 10 ms for 100/s.
    package let emissionInterval: Nanoseconds
    /// What may be owed at most: the interval times the requests that may come at once.
    package let tolerance: Nanoseconds

    /// How many requests may come at once.
    package var quota: UInt64 { tolerance / emissionInterval }

    package init(name: String, emissionInterval: Nanoseconds, tolerance: Nanoseconds) {
        precondition(emissionInterval > 0, "a limit's interval is at least 1 ns")
        precondition(tolerance >= emissionInterval, "a limit admits at least one request")
        precondition(tolerance <= Self.nanosecondsMax, "a limit's tolerance is at most 2^52 ns")
        self.name = name
        self.emissionInterval = emissionInterval
        self.tolerance = tolerance
    }

    /// The limit as a store counts it: its interval is rounded up to whole nanoseconds, so that the rate is never above
    /// the one asked for. Nil where a store cannot: for a sliding window, and a burst that comes back in more than 52 days.
    package init?(_ limit: RateLimit, name: String) {
        let interval = (limit.rate.period + limit.rate.amount - 1) / limit.rate.amount
        let (tolerance, overflows) = interval.multipliedReportingOverflow(by: limit.burst)
        guard limit.algorithm != .slidingWindow, !overflows, tolerance <= Self.nanosecondsMax else { return nil }
        self.init(name: name, emissionInterval: interval, tolerance: tolerance)
    }
}
