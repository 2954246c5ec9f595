// SPDX-License-Identifier: Apache-2.0
// Power of two choices. Immutable; what it compares changes under it, by atomics.

/// Two endpoints are drawn by weight; the request goes to the first unless the second will clearly answer sooner.
///
/// Cost is the average response time × (requests in flight + the new one) / weight, where the new one counts in the first
/// as it would in the heavier of the two, and in the second as in the lighter. With equal weights that is the plain
/// comparison of costs. With unequal ones it is the benefit of the doubt, up to one request, that keeps shares as
/// configured: simulated at 9:1 with equal times, charging each for itself leaves the lighter none of 8 concurrent
/// requests and 63 % of its share of 16; charging so, 88 % to 109 % of it at any number.
struct LeastLatency: ~Copyable, Sendable {
    /// Draws that may meet excluded endpoints before all are looked at.
    private static let drawsMax = 8

    private let all: AliasTable
    /// Without the heaviest: the second choice beside it. Any other first has at most half of the sum, so a draw from all
    /// gives another endpoint at least every second time.
    private let others: AliasTable?
    private let heaviest: Int

    /// - Precondition: some entry has a weight.
    init(_ weights: [EffectiveWeight]) {
        let usable = weights.indices.filter { weights[$0] > .zero }.map { UInt16($0) }
        let heaviest = usable.max { weights[Int($0)] < weights[Int($1)] }
        all = AliasTable(usable, weights: weights)
        others = usable.count > 1 ? AliasTable(usable.filter { $0 != heaviest }, weights: weights) : nil
        self.heaviest = heaviest.map { Int($0) } ?? 0
    }

    @inline(__always)
    func pick(
        _ slots: borrowing BalancerSlots,
        excluding tried: TriedEndpoints,
        at now: UInt64,
        random: inout WyRand
    ) -> Int? {
        guard let first = drawFirst(slots, tried, &random) else { return nil }
        guard let second = drawSecond(slots, besides: first, tried, &random) else { return first }
        return Self.isSooner(slots[second], than: slots[first], at: now) ? second : first
    }

    @inline(__always)
    private func drawFirst(
        _ slots: borrowing BalancerSlots,
        _ tried: TriedEndpoints,
        _ random: inout WyRand
    ) -> Int? {
        for _ in 0..<Self.drawsMax {
            let index = all.draw(random.next())
            if !tried.contains(index) { return index }
        }
        return slots.draw(excluding: tried, and: nil, random: &random)
    }

    @inline(__always)
    private func drawSecond(
        _ slots: borrowing BalancerSlots,
        besides first: Int,
        _ tried: TriedEndpoints,
        _ random: inout WyRand
    ) -> Int? {
        if slots.usableCount == 2 {
            let other = slots.other(than: first)
            return tried.contains(other) ? nil : other
        }
        for _ in 0..<Self.drawsMax {
            let index = first == heaviest ? others?.draw(random.next()) : all.draw(random.next())
            guard let index else { return nil }
            if index != first, !tried.contains(index) { return index }
        }
        return slots.draw(excluding: tried, and: first, random: &random)
    }

    @inline(__always)
    private static func isSooner(
        _ second: BalancerSlots.Slot,
        than first: BalancerSlots.Slot,
        at now: UInt64
    ) -> Bool {
        let (present, offered) = (first.load.pointee.state(at: now), second.load.pointee.state(at: now))
        let newInFirst = min(first.inverseWeight, second.inverseWeight)
        let newInSecond = max(first.inverseWeight, second.inverseWeight)
        let stay = present.nanoseconds * (present.requests * first.inverseWeight + newInFirst)
        let move = offered.nanoseconds * (offered.requests * second.inverseWeight + newInSecond)
        return move < stay
    }
}
