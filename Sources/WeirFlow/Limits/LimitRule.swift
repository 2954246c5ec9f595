// SPDX-License-Identifier: Apache-2.0
// One of the three algorithms, and what the limiters ask of each alike. Pure.

/// The arithmetic of a limit over a word of state.
///
/// For all algorithms: 0 is a limit at rest, every charge makes the word greater, and of two words the lesser is the
/// one to forget (see `KeyTable`). Times are in ticks of `scale`.
protocol LimitArithmetic {
    var scale: TickScale { get }
    /// The greatest cost that is ever allowed.
    var quota: UInt64 { get }
    /// The state after a request of this cost, or nil where it is refused.
    func charge(_ word: UInt64, cost: UInt64, time: UInt64) -> UInt64?
    /// The state after the undoing of a charge that was made at `time`.
    func refund(_ word: UInt64, cost: UInt64, time: UInt64) -> UInt64
    /// How many requests of cost 1 would be allowed at once.
    func remaining(_ word: UInt64, time: UInt64) -> UInt64
    /// Ticks until the cost, which is at most the quota, is allowed.
    func wait(_ word: UInt64, cost: UInt64, time: UInt64) -> UInt64
    /// Ticks until the limit is at rest.
    func reset(_ word: UInt64, time: UInt64) -> UInt64
    /// What the word says to a request that it allows.
    func allowance(_ word: UInt64, time: UInt64) -> LimitDecision
}

/// An enum and not an existential: the compiler sees through it.
enum LimitRule: Sendable {
    case gcra(GCRA)
    case slidingWindow(SlidingWindow)
    case tokenBucket(TokenBucket)

    init(_ limit: RateLimit) {
        self =
            switch limit.algorithm {
            case .gcra: .gcra(GCRA(rate: limit.rate, burst: limit.burst))
            case .slidingWindow: .slidingWindow(SlidingWindow(rate: limit.rate))
            case .tokenBucket: .tokenBucket(TokenBucket(rate: limit.rate, burst: limit.burst))
            }
    }

    @inline(__always)
    func ticks(_ time: Nanoseconds) -> UInt64 {
        switch self {
        case .gcra(let rule): rule.scale.ticks(time)
        case .slidingWindow(let rule): rule.scale.ticks(time)
        case .tokenBucket(let rule): rule.scale.ticks(time)
        }
    }

    @inline(__always)
    func charge(_ word: UInt64, cost: UInt64, time: UInt64) -> UInt64? {
        switch self {
        case .gcra(let rule): rule.charge(word, cost: cost, time: time)
        case .slidingWindow(let rule): rule.charge(word, cost: cost, time: time)
        case .tokenBucket(let rule): rule.charge(word, cost: cost, time: time)
        }
    }

    func refund(_ word: UInt64, cost: UInt64, time: UInt64) -> UInt64 {
        switch self {
        case .gcra(let rule): rule.refund(word, cost: cost, time: time)
        case .slidingWindow(let rule): rule.refund(word, cost: cost, time: time)
        case .tokenBucket(let rule): rule.refund(word, cost: cost, time: time)
        }
    }

    func isIdle(_ word: UInt64, time: UInt64) -> Bool {
        switch self {
        case .gcra(let rule): rule.reset(word, time: time) == 0
        case .slidingWindow(let rule): rule.reset(word, time: time) == 0
        case .tokenBucket(let rule): rule.reset(word, time: time) == 0
        }
    }

    /// What the word says to a request that it allows.
    func allowance(_ word: UInt64, time: UInt64) -> LimitDecision {
        switch self {
        case .gcra(let rule): rule.allowance(word, time: time)
        case .slidingWindow(let rule): rule.allowance(word, time: time)
        case .tokenBucket(let rule): rule.allowance(word, time: time)
        }
    }

    /// What the word says to a request that it refuses.
    func refusal(_ word: UInt64, cost: UInt64, time: UInt64) -> LimitDecision {
        switch self {
        case .gcra(let rule): rule.refusal(word, cost: cost, time: time)
        case .slidingWindow(let rule): rule.refusal(word, cost: cost, time: time)
        case .tokenBucket(let rule): rule.refusal(word, cost: cost, time: time)
        }
    }
}

extension LimitArithmetic {
    @inline(__always)
    func allowance(_ word: UInt64, time: UInt64) -> LimitDecision {
        LimitDecision(
            isAllowed: true,
            limit: quota,
            remaining: remaining(word, time: time),
            retryAfter: 0,
            resetAfter: scale.nanoseconds(reset(word, time: time))
        )
    }

    func refusal(_ word: UInt64, cost: UInt64, time: UInt64) -> LimitDecision {
        var decision = allowance(word, time: time)
        decision.isAllowed = false
        decision.retryAfter =
            cost <= quota ? scale.nanoseconds(wait(word, cost: cost, time: time)) : LimitDecision.never
        return decision
    }
}
