// SPDX-License-Identifier: Apache-2.0
// Whose turn it is: a round that is worked out once, and a count that all loops share.

import Synchronization

/// Weighted round robin over all loops.
struct RoundRobin: ~Copyable, @unchecked Sendable {
    /// Turns that may be an excluded endpoint's before the next of the list is taken.
    private static let lookaheadMax = 16

    /// Invariant: written before anybody else has it, so it is Sendable.
    private let turns: UnsafeMutablePointer<UInt16>
    private let count: UInt64
    /// On a line of its own: each loop writes it at each request. Relaxed: it publishes nothing.
    private let turn: CacheLine<Atomic<UInt64>>

    /// - Parameter turnsTaken: where the table before this one stopped.
    init(_ weights: [EffectiveWeight], turnsTaken: UInt64) {
        let schedule = RoundRobinSchedule.turns(weights.map { Int($0.units) })
        turns = .allocate(capacity: schedule.count)
        turns.initialize(from: schedule, count: schedule.count)
        count = UInt64(schedule.count)
        turn = CacheLine(Atomic(turnsTaken))
    }

    deinit { turns.deallocate() }

    var turnsTaken: UInt64 { turn.address.pointee.load(ordering: .relaxed) }

    @inline(__always)
    func pick(_ slots: borrowing BalancerSlots, excluding tried: TriedEndpoints) -> Int? {
        var place = turn.address.pointee.wrappingAdd(1, ordering: .relaxed).oldValue % count
        var index = Int(turns[Int(place)])
        if !tried.contains(index) { return index }
        for _ in 0..<Self.lookaheadMax {
            place = place &+ 1 < count ? place &+ 1 : 0
            index = Int(turns[Int(place)])
            if !tried.contains(index) { return index }
        }
        return slots.next(after: index, excluding: tried)
    }
}
