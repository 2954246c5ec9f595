// SPDX-License-Identifier: Apache-2.0
// Several limits on one request: all are charged, or none. Immutable; any thread.

/// The limiters of a route.
///
/// They are kept alive by the array, and reached without counting references: the count of a limiter that all loops
/// share would be a line that all of them write (measured: 7 retains for two limits).
@safe
package struct LimiterSet: Sendable {
    package let limiters: [Limiter]
    // Invariant: each is in `limiters`, so it lives as long as this value.
    private let references: [Unmanaged<Limiter>]

    package init(_ limiters: [Limiter]) {
        self.limiters = limiters
        unsafe references = limiters.map { unsafe Unmanaged.passUnretained($0) }
    }

    package var count: Int { limiters.count }

    /// Takes the cost from all limiters, or from none where one refuses.
    ///
    /// First it looks at all, so that a refusal charges nobody. Where another thread then takes the last of one, what
    /// was taken from those before it is given back; in between they may refuse others, but they never allow more.
    ///
    /// - Parameters:
    ///   - keys: One for each limiter.
    ///   - tellsAllowed: Whether the decisions are wanted where all limiters allow the request. Else they are filled in
    ///     for a refusal only, which spares their figures.
    ///   - decisions: One for each limiter, filled in; after a refusal none is charged.
    /// - Returns: The first limiter that refused, or nil.
    package func takeAll(
        keys: Span<UInt64>,
        cost: UInt64 = 1,
        now: Nanoseconds,
        tellsAllowed: Bool = true,
        decisions: inout MutableSpan<LimitDecision>
    ) -> Int? {
        precondition(keys.count >= count, "a key for each limiter")
        precondition(decisions.count >= count, "room for each limiter's decision")
        if count > 1, let refused = peekAll(keys: keys, cost: cost, now: now, decisions: &decisions) { return refused }
        for index in 0..<count {
            let charge = limiter(index) { $0.charge(key: keys[index], cost: cost, now: now) }
            if charge.isAllowed && !tellsAllowed { continue }
            decisions[index] = limiter(index) { $0.decision(charge) }
            if charge.isAllowed { continue }
            for taken in 0..<index {
                limiter(taken) { $0.giveBack(key: keys[taken], cost: cost, now: now) }
                decisions[taken] = limiter(taken) { $0.peek(key: keys[taken], cost: cost, now: now) }
            }
            return index
        }
        return nil
    }

    private func peekAll(
        keys: Span<UInt64>,
        cost: UInt64,
        now: Nanoseconds,
        decisions: inout MutableSpan<LimitDecision>
    ) -> Int? {
        var refused: Int?
        for index in 0..<count {
            decisions[index] = limiter(index) { $0.peek(key: keys[index], cost: cost, now: now) }
            if refused == nil && !decisions[index].isAllowed { refused = index }
        }
        return refused
    }

    @inline(__always)
    private func limiter<Result>(_ index: Int, _ body: (Limiter) -> Result) -> Result {
        unsafe references[index]._withUnsafeGuaranteedRef { body($0) }
    }
}
