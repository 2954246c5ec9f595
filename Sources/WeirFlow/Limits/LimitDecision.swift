// SPDX-License-Identifier: Apache-2.0
// What a limiter says to one request: plain numbers, for the answer and its fields.

package struct LimitDecision: Equatable, Sendable {
    package var isAllowed: Bool
    /// The quota: the burst, or a sliding window's amount.
    package var limit: UInt64
    /// How many requests of cost 1 would be allowed at once after this one.
    package var remaining: UInt64
    /// How long until the same cost is allowed if nobody else takes: 0 when it is, `never` when it exceeds the quota.
    package var retryAfter: Nanoseconds
    /// How long until the full quota is there again.
    package var resetAfter: Nanoseconds

    package static let never = Nanoseconds.max

    package init(
        isAllowed: Bool = true,
        limit: UInt64 = 0,
        remaining: UInt64 = 0,
        retryAfter: Nanoseconds = 0,
        resetAfter: Nanoseconds = 0
    ) {
        self.isAllowed = isAllowed
        self.limit = limit
        self.remaining = remaining
        self.retryAfter = retryAfter
        self.resetAfter = resetAfter
    }
}

/// What came of charging a limiter: whether the request may pass, and the state of which `Limiter.decision` tells more.
///
/// Apart from the decision, as who refuses nobody and writes no fields needs no more than this.
package struct LimitCharge: Sendable {
    package let isAllowed: Bool
    let cost: UInt64
    /// The limit's word and clock after the charge, or as they are where it was refused.
    let word: UInt64
    let time: UInt64
}
