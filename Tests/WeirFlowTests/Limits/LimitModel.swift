// SPDX-License-Identifier: Apache-2.0
// What a limit must decide, from the list of all that it has allowed: slow, exact, without rounding.

import WeirFlow
import WeirTestSupport

/// The requests that a limit has allowed.
struct LimitModel {
    let limit: RateLimit
    private var allowed: [(time: Int128, cost: Int128)] = []

    init(_ limit: RateLimit) {
        self.limit = limit
    }

    mutating func record(_ time: Nanoseconds, _ cost: UInt64) { allowed.append((Int128(time), Int128(cost))) }

    /// Whether a request is within the limit, were the clock ahead by `slack`.
    func allows(_ time: Nanoseconds, _ cost: UInt64, slack: Int128) -> Bool {
        limit.algorithm == .slidingWindow
            ? windowAllows(Int128(time), Int128(cost), slack)
            : rateAllows(Int128(time), Int128(cost), slack)
    }

    /// How far the limiter's clock may be off: a nanosecond; for a window's weight its 2⁻³², if that is more.
    var tolerance: Int128 {
        limit.algorithm == .slidingWindow ? 2 + Int128(limit.rate.period) >> 31 : 1
    }

    /// GCRA and token bucket: from each allowed request on, no more than the burst and what the rate has brought.
    private func rateAllows(_ time: Int128, _ cost: Int128, _ slack: Int128) -> Bool {
        var sum = cost
        guard sum <= limit.burst else { return false }
        for request in allowed.reversed() {
            sum += request.cost
            let brought = (time + slack - request.time) * Int128(limit.rate.amount)
            if (sum - Int128(limit.burst)) * Int128(limit.rate.period) > brought { return false }
        }
        return true
    }

    /// Sliding window: this window's count, and the last one's by what is left of this. A clock that steps back stands
    /// at the start of the latest window that was seen.
    private func windowAllows(_ time: Int128, _ cost: Int128, _ slack: Int128) -> Bool {
        let period = Int128(limit.rate.period)
        var latest: Int128 = 0
        let counted = allowed.map { request in
            latest = max(latest, request.time / period)
            return (window: latest, cost: request.cost)
        }
        let window = max(latest, time / period)
        let elapsed = min(max(time + slack - window * period, 0), period)
        let last = counted.filter { $0.window == window - 1 }.reduce(0) { $0 + $1.cost }
        let current = counted.filter { $0.window == window }.reduce(0) { $0 + $1.cost }
        return last * (period - elapsed) <= (Int128(limit.burst) - current - cost) * period
    }
}

/// Limits of all algorithms with intervals that are whole nanoseconds, and that are not.
func sampleLimits(key: RateLimitKey = .none) -> [RateLimit] {
    let rates: [Rate] = [
        .perSecond(1), .perSecond(3), .perSecond(1000), .perMinute(7), .perHour(11), .perDay(97),
        Rate(amount: 13, period: 17 * Rate.second),
    ]
    var limits: [RateLimit] = []
    for algorithm in RateLimitAlgorithm.allCases {
        for rate in rates {
            let name = "\(algorithm)-\(rate.amount)"
            if algorithm == .slidingWindow {
                limits.append(RateLimit(name: name, algorithm: algorithm, rate: rate, key: key))
            } else {
                for burst: UInt64 in [1, 2, 5, 20] {
                    limits.append(RateLimit(name: name, algorithm: algorithm, rate: rate, burst: burst, key: key))
                }
            }
        }
    }
    return limits
}

/// A clock that moves as the limit's own time does: stands still, steps back, goes on by parts of an interval, leaps.
struct RestlessClock {
    let limit: RateLimit
    private let stepsBack: Bool
    private(set) var now: Nanoseconds

    init(_ limit: RateLimit, stepsBack: Bool = true) {
        self.limit = limit
        self.stepsBack = stepsBack
        now = limit.rate.period * 3 + 5
    }

    mutating func move(_ random: inout SeededGenerator) -> Nanoseconds {
        let interval = Int(limit.rate.period / limit.rate.amount)
        switch random.below(10) {
        case 0, 1, 2: break
        case 3: if stepsBack { now -= min(now, UInt64(random.below(2 * interval))) }
        case 4, 5, 6, 7: now += UInt64(random.below(interval * 2))
        case 8: now += UInt64(interval)
        default: now += UInt64(random.below(3 * Int(limit.rate.period)))
        }
        // The windows' borders are off by a nanosecond, at which the model is exact.
        let place = now % limit.rate.period
        if place < 2 { now += 2 } else if place > limit.rate.period - 2 { now += 4 }
        return now
    }
}
