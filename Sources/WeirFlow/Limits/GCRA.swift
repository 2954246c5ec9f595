// SPDX-License-Identifier: Apache-2.0
// The generic cell rate algorithm over one word of state. Pure.

/// GCRA, as virtual scheduling (ITU-T I.371, annex A).
///
/// The word is the theoretical arrival time: the instant, in ticks, at which the full burst is there again. It lies
/// ahead of the clock by one interval for each request that is owed, and a request is allowed where that is a burst at
/// most. It never falls, so a clock that steps back finds more owed, never less. 0 is a limit at rest.
struct GCRA: LimitArithmetic, Sendable {
    let scale: TickScale
    let quota: UInt64
    /// The burst in ticks: below 2⁵⁶, as a burst comes back within 365 days.
    let capacity: UInt64

    init(rate: Rate, burst: UInt64) {
        scale = TickScale(period: rate.period, amount: rate.amount)
        quota = burst
        capacity = burst << scale.shift
    }

    func charge(_ word: UInt64, cost: UInt64, time: UInt64) -> UInt64? {
        guard cost <= quota else { return nil }
        let price = cost &<< scale.shift
        guard owed(word, time) <= capacity &- price else { return nil }
        return max(word, time) &+ price
    }

    /// The state after the undoing of a charge: not below what it was before, as that charge began at the clock.
    func refund(_ word: UInt64, cost: UInt64, time: UInt64) -> UInt64 {
        let price = min(cost, quota) &<< scale.shift
        return word > price ? word &- price : 0
    }

    func remaining(_ word: UInt64, time: UInt64) -> UInt64 {
        let owed = owed(word, time)
        return owed < capacity ? (capacity &- owed) &>> scale.shift : 0
    }

    func wait(_ word: UInt64, cost: UInt64, time: UInt64) -> UInt64 {
        let room = capacity &- cost &<< scale.shift
        let owed = owed(word, time)
        return owed > room ? owed &- room : 0
    }

    func reset(_ word: UInt64, time: UInt64) -> UInt64 { owed(word, time) }

    /// Without a branch, as `KeyTable.find`: the word may have to come from memory.
    private func owed(_ word: UInt64, _ time: UInt64) -> UInt64 { max(word, time) &- time }
}
