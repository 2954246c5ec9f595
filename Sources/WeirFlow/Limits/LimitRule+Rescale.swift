// SPDX-License-Identifier: Apache-2.0
// What a reload makes of the state under the old limit. Pure.

/// How many requests are used up, in 1/65536 of one. Below 2⁴⁶: a quota is at most 10⁹.
private let usedBits: UInt64 = 16

extension LimitRule {
    /// The state under this rule for a word of another one. What was used stays used: a burst that grows fills up from
    /// what was left, one that shrinks loses what it shrinks by. So no more is left than either limit would have left,
    /// and what was used up stays so.
    func rescaled(_ word: UInt64, from old: LimitRule, oldTime: UInt64, time: UInt64) -> UInt64 {
        let quota = quota << usedBits
        let oldQuota = old.quota << usedBits
        let used = old.used(word, time: oldTime) + (quota > oldQuota ? quota - oldQuota : 0)
        return state(using: min(used, quota), time: time)
    }

    private var quota: UInt64 {
        switch self {
        case .gcra(let rule): rule.quota
        case .slidingWindow(let rule): rule.quota
        case .tokenBucket(let rule): rule.quota
        }
    }

    /// What is used up, rounded up, and no more than the quota: a clock that stepped back is not carried on.
    private func used(_ word: UInt64, time: UInt64) -> UInt64 {
        switch self {
        case .gcra(let rule):
            scaled(min(rule.capacity, rule.reset(word, time: time)), from: rule.scale.shift, to: usedBits)
        case .slidingWindow(let rule):
            min(rule.quota, rule.estimate(word, time: time)) << usedBits
        case .tokenBucket(let rule):
            scaled(min(rule.capacity, rule.reset(word, time: time)), from: rule.scale.shift, to: usedBits)
        }
    }

    private func state(using used: UInt64, time: UInt64) -> UInt64 {
        switch self {
        case .gcra(let rule): time + scaled(used, from: usedBits, to: rule.scale.shift)
        case .slidingWindow(let rule): rule.state(scaled(used, from: usedBits, to: 0), time: time)
        case .tokenBucket(let rule): time + scaled(used, from: usedBits, to: rule.scale.shift)
        }
    }
}

/// A count of 2^-from parts in 2^-to parts, rounded up. It fits where the count is at most a quota.
private func scaled(_ count: UInt64, from: UInt64, to: UInt64) -> UInt64 {
    if to >= from { return count << (to - from) }
    return (count + (1 << (from - to)) - 1) >> (from - to)
}
