// SPDX-License-Identifier: Apache-2.0
// Several limits on one request: all are charged, or none. Any thread.

extension Limiter {
    /// Takes the cost from all limiters, or from none where one refuses.
    ///
    /// First it looks at all, so that a refusal charges nobody. Where another thread then takes the last of one, what
    /// was taken from those before it is given back; in between they may refuse others, but they never allow more.
    ///
    /// - Parameters:
    ///   - keys: One for each limiter.
    ///   - decisions: One for each limiter, filled in; after a refusal none is charged.
    /// - Returns: The first limiter that refused, or nil.
    package static func takeAll(
        _ limiters: [Limiter],
        keys: Span<UInt64>,
        cost: UInt64 = 1,
        now: Nanoseconds,
        decisions: inout MutableSpan<LimitDecision>
    ) -> Int? {
        precondition(keys.count == limiters.count, "a key for each limiter")
        precondition(decisions.count >= limiters.count, "room for each limiter's decision")
        if limiters.count == 1 {
            decisions[0] = limiters[0].take(key: keys[0], cost: cost, now: now)
            return decisions[0].isAllowed ? nil : 0
        }
        if let refused = peekAll(limiters, keys: keys, cost: cost, now: now, decisions: &decisions) { return refused }
        for index in limiters.indices {
            decisions[index] = limiters[index].take(key: keys[index], cost: cost, now: now)
            if decisions[index].isAllowed { continue }
            for taken in 0..<index {
                limiters[taken].giveBack(key: keys[taken], cost: cost, now: now)
                decisions[taken] = limiters[taken].peek(key: keys[taken], cost: cost, now: now)
            }
            return index
        }
        return nil
    }

    private static func peekAll(
        _ limiters: [Limiter],
        keys: Span<UInt64>,
        cost: UInt64,
        now: Nanoseconds,
        decisions: inout MutableSpan<LimitDecision>
    ) -> Int? {
        var refused: Int?
        for index in limiters.indices {
            decisions[index] = limiters[index].peek(key: keys[index], cost: cost, now: now)
            if refused == nil && !decisions[index].isAllowed { refused = index }
        }
        return refused
    }
}
