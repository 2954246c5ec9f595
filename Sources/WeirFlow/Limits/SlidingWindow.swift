// SPDX-License-Identifier: Apache-2.0
// The two-bucket sliding window over one word of state. Pure.

/// Counts in the current window, plus those of the window before by the share of it that a window ending now covers.
///
/// The word is, from its highest bit: the window's index, its count, and the count of the one before. Every charge
/// makes it a greater number. The estimate takes the last window's requests as evenly spread. It lets no more than
/// the amount into any window of its grid, so in any period that lies across two of them less than twice the amount.
///
/// An index takes as many bits as there are windows in `TickScale.clockMax`, at least 6; the counts share the rest, so
/// that 131,071 fit for windows of a second. Counts are below 2²⁹ and weights at most 2³²: products fit 64 bits. A
/// clock behind the word's window counts as standing at its start, where the last window weighs most.
struct SlidingWindow: LimitArithmetic, Sendable {
    /// A window is 2^shift ticks.
    let scale: TickScale
    let quota: UInt64
    private let countBits: UInt64

    init(rate: Rate) {
        scale = TickScale(period: rate.period, amount: 1)
        quota = rate.amount
        countBits = Self.countBits(scale)
    }

    // Not kept: whoever charges copies what is.
    private var countMask: UInt64 { 1 &<< countBits &- 1 }
    /// The share of a window is kept in 32 bits at most: the ticks that are dropped for that, rounded against the client.
    private var weightBits: UInt64 { min(scale.shift, 32) }
    private var droppedBits: UInt64 { scale.shift &- weightBits }

    /// The largest amount for which the state fits the word.
    static func amountMax(period: Nanoseconds) -> UInt64 {
        1 << countBits(TickScale(period: period, amount: 1)) - 1
    }

    private static func countBits(_ scale: TickScale) -> UInt64 {
        let lastIndex = scale.ticks(TickScale.clockMax) >> scale.shift
        let indexBits = UInt64(UInt64.bitWidth - lastIndex.leadingZeroBitCount)
        return (64 - max(indexBits, 6)) / 2
    }

    func charge(_ word: UInt64, cost: UInt64, time: UInt64) -> UInt64? {
        guard cost <= quota else { return nil }
        let index = time &>> scale.shift
        // With many keys the most frequent case, and then the shortest: both windows of the word have passed.
        let counted = word &>> (2 &* countBits)
        if counted &+ 1 < index { return pack(Counts(index: index, current: cost, previous: 0)) }
        guard counted == index else { return chargeElsewhere(word, cost: cost, time: time) }
        // The next most frequent: the word's window is the present one, and nothing moves but its count.
        let taken = word &>> countBits & countMask &+ cost
        guard taken <= quota else { return nil }
        let previous = word & countMask
        // Where the last window's count has room with its whole weight, the weight does not matter.
        if previous > quota &- taken,
            outweighs(previous, quota &- taken, weight(after: time & (1 &<< scale.shift &- 1)))
        {
            return nil
        }
        return word &+ cost &<< countBits
    }

    /// The window moves on by one, or the clock is behind it. Inlined: a call would need the rule in memory.
    @inline(__always)
    private func chargeElsewhere(_ word: UInt64, cost: UInt64, time: UInt64) -> UInt64? {
        var counts = counts(word, time)
        let taken = counts.current &+ cost
        guard taken <= quota, !outweighs(counts.previous, quota &- taken, weight(counts, time)) else { return nil }
        counts.current = taken
        return pack(counts)
    }

    /// Whether the last window's count, weighted, is more than there is room for.
    @inline(__always)
    private func outweighs(_ previous: UInt64, _ room: UInt64, _ weight: UInt64) -> Bool {
        previous &* weight > room &<< weightBits
    }

    /// The state after the undoing of a charge that was made at `time`; what has left both counts stays so.
    func refund(_ word: UInt64, cost: UInt64, time: UInt64) -> UInt64 {
        var counts = unpack(word)
        let index = time &>> scale.shift
        if index &+ 1 == counts.index {
            counts.previous &-= min(cost, counts.previous)
        } else if index <= counts.index {
            counts.current &-= min(cost, counts.current)
        }
        return pack(counts)
    }

    func remaining(_ word: UInt64, time: UInt64) -> UInt64 { quota &- min(quota, estimate(word, time: time)) }

    /// The weighted count, rounded up.
    func estimate(_ word: UInt64, time: UInt64) -> UInt64 { estimate(counts(word, time), time: time) }

    private func estimate(_ counts: Counts, time: UInt64) -> UInt64 {
        if counts.previous == 0 { return counts.current }
        let weighted = counts.previous &* weight(counts, time)
        return counts.current &+ (weighted &+ (1 &<< weightBits) &- 1) &>> weightBits
    }

    func wait(_ word: UInt64, cost: UInt64, time: UInt64) -> UInt64 {
        let counts = counts(word, time)
        var end = (counts.index &+ 1) &<< scale.shift
        var previous = counts.previous
        var room = quota &- cost
        if counts.current > room {
            // Not in this window: in the next, where its count is the last one's.
            end &+= 1 &<< scale.shift
            previous = counts.current
        } else {
            room &-= counts.current
        }
        let weight = previous > room ? (room &<< weightBits) / previous : 1 &<< weightBits
        let opensAt = end &- weight &<< droppedBits
        return opensAt > time ? opensAt &- time : 0
    }

    /// Ticks until both counts are out of sight.
    func reset(_ word: UInt64, time: UInt64) -> UInt64 { reset(counts(word, time), time: time) }

    private func reset(_ counts: Counts, time: UInt64) -> UInt64 {
        if counts.current == 0 && counts.previous == 0 { return 0 }
        return (counts.index &+ (counts.current > 0 ? 2 : 1)) &<< scale.shift &- time
    }

    /// As for every rule, with one look into the word.
    @inline(__always)
    func allowance(_ word: UInt64, time: UInt64) -> LimitDecision {
        let counts = counts(word, time)
        return LimitDecision(
            isAllowed: true,
            limit: quota,
            remaining: quota &- min(quota, estimate(counts, time: time)),
            retryAfter: 0,
            resetAfter: scale.nanoseconds(reset(counts, time: time))
        )
    }

    /// The state in which so many count in the current window.
    func state(_ current: UInt64, time: UInt64) -> UInt64 {
        pack(Counts(index: time &>> scale.shift, current: min(current, quota), previous: 0))
    }
}

extension SlidingWindow {
    struct Counts {
        var index: UInt64
        var current: UInt64
        var previous: UInt64
    }

    /// The counts at this time; those of the word's own window where the clock is behind it.
    func counts(_ word: UInt64, _ time: UInt64) -> Counts { advance(unpack(word), to: time &>> scale.shift) }

    func unpack(_ word: UInt64) -> Counts {
        Counts(
            index: word &>> (2 &* countBits),
            current: word &>> countBits & countMask,
            previous: word & countMask
        )
    }

    func pack(_ counts: Counts) -> UInt64 {
        counts.index &<< (2 &* countBits) | counts.current &<< countBits | counts.previous
    }

    func advance(_ counts: Counts, to index: UInt64) -> Counts {
        if index <= counts.index { return counts }
        return Counts(index: index, current: 0, previous: index == counts.index &+ 1 ? counts.current : 0)
    }

    /// What is left of the window of the counts.
    private func weight(_ counts: Counts, _ time: UInt64) -> UInt64 {
        let start = counts.index &<< scale.shift
        return weight(after: time > start ? time &- start : 0)
    }

    /// What is left of a window `elapsed` ticks after its start, in 2^weightBits parts, rounded up.
    @inline(__always)
    private func weight(after elapsed: UInt64) -> UInt64 {
        let left = (1 &<< scale.shift) &- elapsed
        return (left &+ (1 &<< droppedBits) &- 1) &>> droppedBits
    }
}
