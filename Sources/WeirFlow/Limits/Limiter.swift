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
    package func take(key: UInt64, cost: UInt64 = 1, now: Nanoseconds) -> LimitDecision {
        // One switch at the outset, so that what follows is compiled for each algorithm by itself. The shorter it is, the
        // more takes are under way at once that wait for memory (a million keys, GCRA: 70 ns before, 48 so, medians).
        switch rule {
        case .gcra(let rule): take(rule, key, cost, now)
        case .slidingWindow(let rule): take(rule, key, cost, now)
        case .tokenBucket(let rule): take(rule, key, cost, now)
        }
    }

    @inline(__always)
    private func take(_ rule: some LimitArithmetic, _ key: UInt64, _ cost: UInt64, _ now: Nanoseconds) -> LimitDecision
    {
        let time = rule.scale.ticks(sinceStart(now))
        return isKeyed ? takeKeyed(rule, fingerprint(key), cost, time) : takeAlone(rule, cost, time)
    }

    /// What `take` would decide. `remaining` and `resetAfter` are as they are without it.
    package func peek(key: UInt64, cost: UInt64 = 1, now: Nanoseconds) -> LimitDecision {
        let time = ticks(now)
        let word = isKeyed ? look(for: fingerprint(key), time).word : lone.load()
        return rule.charge(word, cost: cost, time: time) == nil
            ? rule.refusal(word, cost: cost, time: time)
            : rule.allowance(word, time: time)
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
    private func takeAlone(_ rule: some LimitArithmetic, _ cost: UInt64, _ time: UInt64) -> LimitDecision {
        var word = lone.load()
        while let charged = rule.charge(word, cost: cost, time: time) {
            if cost == 0 { return rule.allowance(word, time: time) }
            let (isDone, found) = lone.replace(word, by: charged)
            if isDone { return rule.allowance(charged, time: time) }
            word = found
        }
        return rule.refusal(word, cost: cost, time: time)
    }
}
