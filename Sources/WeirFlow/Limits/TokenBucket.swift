// SPDX-License-Identifier: Apache-2.0
// The token bucket over one word of state. Pure.

/// A bucket into which tokens flow evenly, up to a burst.
///
/// Tokens and the time of the last refill do not fit in a word, but the two are one number: the instant at which the
/// bucket was empty, or would have been had it never overflowed. The level is what has flowed in since. Instants are
/// counted on a clock that is ahead by a full bucket, so that 0 is a full one at any time. A clock that steps back
/// finds the bucket empty.
///
/// From the same start it decides as `GCRA` does, for which this is the dual: that one counts up what is owed, this
/// one down what is left.
struct TokenBucket: LimitArithmetic, Sendable {
    let scale: TickScale
    let quota: UInt64
    /// The full bucket in ticks: below 2⁵⁶, as it is filled within 365 days.
    let capacity: UInt64

    init(rate: Rate, burst: UInt64) {
        scale = TickScale(period: rate.period, amount: rate.amount)
        quota = burst
        capacity = burst << scale.shift
    }

    func charge(_ emptyAt: UInt64, cost: UInt64, time: UInt64) -> UInt64? {
        guard cost <= quota else { return nil }
        let price = cost &<< scale.shift
        let level = level(emptyAt, time)
        guard level >= price else { return nil }
        return time &+ capacity &- (level &- price)
    }

    /// The state after the undoing of a charge: what would be above the brim is cut off when the level is next read.
    func refund(_ emptyAt: UInt64, cost: UInt64, time: UInt64) -> UInt64 {
        let price = min(cost, quota) &<< scale.shift
        return emptyAt > price ? emptyAt &- price : 0
    }

    func remaining(_ emptyAt: UInt64, time: UInt64) -> UInt64 { level(emptyAt, time) &>> scale.shift }

    func wait(_ emptyAt: UInt64, cost: UInt64, time: UInt64) -> UInt64 {
        let needed = max(emptyAt, time) &+ cost &<< scale.shift
        let now = time &+ capacity
        return needed > now ? needed &- now : 0
    }

    /// Ticks until the bucket is full.
    func reset(_ emptyAt: UInt64, time: UInt64) -> UInt64 { emptyAt > time ? emptyAt &- time : 0 }

    private func level(_ emptyAt: UInt64, _ time: UInt64) -> UInt64 {
        let now = time &+ capacity
        return min(capacity, max(now, emptyAt) &- emptyAt)
    }
}
