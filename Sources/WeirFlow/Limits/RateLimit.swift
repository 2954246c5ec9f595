// SPDX-License-Identifier: Apache-2.0
// What a rate limit is, as a value: who is counted, by which algorithm, how much. Its state is a `Limiter`.

/// How a limit counts. All three keep their state in 64 bits.
package enum RateLimitAlgorithm: UInt8, CaseIterable, Sendable {
    /// Generic cell rate algorithm: spaces requests evenly beyond a burst. See `GCRA`.
    case gcra
    /// Counts per window, the last window weighted by what is left of it. See `SlidingWindow`.
    case slidingWindow
    /// Tokens that flow in evenly up to a burst. See `TokenBucket`.
    case tokenBucket
}

/// So many requests in a period.
package struct Rate: Equatable, Sendable {
    package static let second: Nanoseconds = 1_000_000_000
    /// The bounds keep every product in 64 bits, and an interval at or above the clock's nanosecond.
    package static let amounts: ClosedRange<UInt64> = 1...1_000_000_000
    package static let periods: ClosedRange<Nanoseconds> = second...(365 * 86400 * second)

    package let amount: UInt64
    package let period: Nanoseconds

    package init(amount: UInt64, period: Nanoseconds) {
        precondition(Self.amounts.contains(amount), "a rate's amount is 1 to 1000000000")
        precondition(Self.periods.contains(period), "a rate's period is 1 s to 365 d")
        self.amount = amount
        self.period = period
    }

    package static func perSecond(_ amount: UInt64) -> Self { Self(amount: amount, period: second) }
    package static func perMinute(_ amount: UInt64) -> Self { Self(amount: amount, period: 60 * second) }
    package static func perHour(_ amount: UInt64) -> Self { Self(amount: amount, period: 3600 * second) }
    package static func perDay(_ amount: UInt64) -> Self { Self(amount: amount, period: 86400 * second) }
}

/// What tells the requests of one client, host or route from another's.
package enum RateLimitKey: Equatable, Sendable {
    /// All requests count together.
    case none
    case client
    /// The client's certificate.
    case subject
    case host
    case route
    case header(String)
    case parameter(String)
}

/// One rate limit of a route.
package struct RateLimit: Equatable, Sendable {
    package static let bursts: ClosedRange<UInt64> = 1...1_000_000_000
    /// A burst that takes longer to come back is refused: it would be a total and not a rate.
    package static let refillMax: Nanoseconds = Rate.periods.upperBound

    package let name: String
    package let algorithm: RateLimitAlgorithm
    package let rate: Rate
    /// How many at once from rest; for a sliding window always the rate's amount, its quota.
    package let burst: UInt64
    package let key: RateLimitKey

    /// - Parameter burst: By default the amount of one period.
    package init(
        name: String,
        algorithm: RateLimitAlgorithm = .gcra,
        rate: Rate,
        burst: UInt64? = nil,
        key: RateLimitKey = .none
    ) {
        let burst = burst ?? rate.amount
        precondition(Self.bursts.contains(burst), "a burst is 1 to 1000000000")
        precondition(Self.refills(burst, at: rate), "a burst is refilled in at most 365 d")
        if algorithm == .slidingWindow {
            precondition(burst == rate.amount, "a sliding window has no burst of its own")
            precondition(burst <= SlidingWindow.amountMax(period: rate.period), "a window counts no further")
        }
        self.name = name
        self.algorithm = algorithm
        self.rate = rate
        self.burst = burst
        self.key = key
    }

    /// The same limit by another name.
    package func renamed(_ name: String) -> RateLimit {
        RateLimit(name: name, algorithm: algorithm, rate: rate, burst: burst, key: key)
    }

    /// Whether the rate fills the burst in time. The product is below 2⁸⁵: 10⁹ requests of at most 365 days.
    package static func refills(_ burst: UInt64, at rate: Rate) -> Bool {
        UInt128(burst) * UInt128(rate.period) <= UInt128(refillMax) * UInt128(rate.amount)
    }
}
