// SPDX-License-Identifier: Apache-2.0
// One rate limit and its state. Shared by all loops; every function may be called from any thread.

/// Counts requests against one limit, together or by key. Nothing here waits, locks or allocates after `init`.
package final class Limiter: Sendable {
    package let limit: RateLimit
    let isKeyed: Bool
    let rule: LimitRule
    /// The clock begins here, so that its range is that of a limiter's life.
    private let start: Nanoseconds
    /// The state of a limit without key.
    let lone = LoneWord()
    /// The states of a keyed limit.
    let table: KeyTable
    /// Keys that were replaced before they had their full quota back.
    let evictions = LoneWord()

    /// - Parameter tableBytes: The memory for a keyed limit's states, rounded down to lines of 64 bytes, at least one.
    package init(_ limit: RateLimit, tableBytes: Int, now: Nanoseconds) {
        self.limit = limit
        isKeyed = limit.key != .none
        rule = LimitRule(limit)
        start = now
        table = KeyTable(bytes: limit.key == .none ? 0 : tableBytes)
    }

    /// Takes the cost where the limit allows it, and nothing otherwise.
    ///
    /// - Parameters:
    ///   - key: A `KeyHash` value; ignored by a limit without key.
    ///   - cost: 0 takes nothing.
    package func charge(key: UInt64, cost: UInt64 = 1, now: Nanoseconds) -> LimitCharge {
        // One switch at the outset, so that what follows is compiled for each algorithm by itself. The shorter it is, the
        // more charges are under way at once that wait for memory: a million keys in the sliding window, 127 ns with the
        // figures of the decision, 79 without, 55 to 63 with the frequent cases first.
        switch rule {
        case .gcra(let rule): charge(rule, key, cost, now)
        case .slidingWindow(let rule): charge(rule, key, cost, now)
        case .tokenBucket(let rule): charge(rule, key, cost, now)
        }
    }

    @inline(__always)
    private func charge(_ rule: some LimitArithmetic, _ key: UInt64, _ cost: UInt64, _ now: Nanoseconds) -> LimitCharge
    {
        let time = rule.scale.ticks(sinceStart(now))
        return isKeyed ? chargeKeyed(rule, fingerprint(key), cost, time) : chargeAlone(rule, cost, time)
    }

    /// What is told of a charge: how much is left, and when there is more.
    package func decision(_ charge: LimitCharge) -> LimitDecision {
        charge.isAllowed
            ? rule.allowance(charge.word, time: charge.time)
            : rule.refusal(charge.word, cost: charge.cost, time: charge.time)
    }

    /// `charge`, and what is told of it.
    package func take(key: UInt64, cost: UInt64 = 1, now: Nanoseconds) -> LimitDecision {
        decision(charge(key: key, cost: cost, now: now))
    }

    /// What `take` would decide. `remaining` and `resetAfter` are as they are without it.
    package func peek(key: UInt64, cost: UInt64 = 1, now: Nanoseconds) -> LimitDecision {
        let time = ticks(now)
        let word = isKeyed ? look(for: fingerprint(key), time).word : lone.load()
        let isAllowed = rule.charge(word, cost: cost, time: time) != nil
        return decision(LimitCharge(isAllowed: isAllowed, cost: cost, word: word, time: time))
    }

    /// Undoes a take with the same arguments. It never gives back more than was taken, and nothing where the key has
    /// been forgotten, or would become the next to be: see `KeyTable`.
    package func giveBack(key: UInt64, cost: UInt64 = 1, now: Nanoseconds) {
        let time = ticks(now)
        if isKeyed {
            giveBackKeyed(fingerprint(key), cost, time)
        } else {
            var word = lone.load()
            while true {
                let (isDone, found) = lone.replace(word, by: rule.refund(word, cost: cost, time: time))
                if isDone { return }
                word = found
            }
        }
    }

    func ticks(_ now: Nanoseconds) -> UInt64 { rule.ticks(sinceStart(now)) }

    @inline(__always)
    private func sinceStart(_ now: Nanoseconds) -> Nanoseconds { now > start ? now &- start : 0 }

    @inline(__always)
    private func chargeAlone(_ rule: some LimitArithmetic, _ cost: UInt64, _ time: UInt64) -> LimitCharge {
        var word = lone.load()
        while let charged = rule.charge(word, cost: cost, time: time) {
            if cost == 0 { return LimitCharge(isAllowed: true, cost: cost, word: word, time: time) }
            let (isDone, found) = lone.replace(word, by: charged)
            if isDone { return LimitCharge(isAllowed: true, cost: cost, word: charged, time: time) }
            word = found
        }
        return LimitCharge(isAllowed: false, cost: cost, word: word, time: time)
    }
}
