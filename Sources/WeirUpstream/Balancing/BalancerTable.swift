// SPDX-License-Identifier: Apache-2.0
// The endpoints of an upstream as choices are made among them. Immutable, built off the hot path, shared by all loops.

package import WeirEventLoop

/// A policy over endpoints with their weights. A change of weights makes a new table; what changes at each request is
/// in the endpoints.
package final class BalancerTable: Sendable {
    package struct Entry: Sendable {
        package let endpoint: Endpoint
        package let weight: EffectiveWeight

        package init(_ endpoint: Endpoint, _ weight: EffectiveWeight) {
            self.endpoint = endpoint
            self.weight = weight
        }
    }

    package static let entriesMax = 4096

    package let policy: BalancingPolicy
    package let entries: [Entry]
    private let slots: BalancerSlots
    private let choice: Choice

    private enum Choice: ~Copyable, Sendable {
        case none
        case leastLatency(LeastLatency)
        case roundRobin(RoundRobin)
        case maglev(Maglev)
        case firstAvailable
    }

    /// - Parameter former: the table that this one replaces: turns go on where it stopped.
    /// - Complexity: O(n log n). For `maglev` 1 ms with 3 endpoints, 13 ms with 1,000; for `roundRobin` as much with 1,000
    ///   whose weights have no common measure; otherwise far below a millisecond.
    package init(_ policy: BalancingPolicy, _ entries: [Entry], replacing former: BalancerTable? = nil) {
        precondition(entries.count <= Self.entriesMax, "a table has at most 4096 endpoints")
        self.policy = policy
        self.entries = entries
        slots = BalancerSlots(entries)
        let weights = entries.map(\.weight)
        guard slots.usableCount > 0 else {
            choice = .none
            return
        }
        switch policy {
        case .leastLatency: choice = .leastLatency(LeastLatency(weights))
        case .roundRobin: choice = .roundRobin(RoundRobin(weights, turnsTaken: former?.turnsTaken ?? 0))
        case .maglev: choice = .maglev(Maglev(entries))
        case .firstAvailable: choice = .firstAvailable
        }
    }

    /// The endpoint for a request, as an index of `entries`; nil where none has a weight but those that are excluded.
    ///
    /// - Parameters:
    ///   - tried: endpoints that the request has been to.
    ///   - key: for `maglev`, the hash of what stays with an endpoint; the others don't ask for it.
    ///   - now: the loop's time.
    ///   - random: the loop's generator.
    /// - Complexity: constant, and nothing is allocated. With excluded endpoints it may look at all.
    package func pick(
        excluding tried: TriedEndpoints = TriedEndpoints(),
        key: UInt64 = 0,
        at now: Nanoseconds,
        random: inout WyRand
    ) -> Int? {
        switch choice {
        case .none: nil
        case .leastLatency(let choice): choice.pick(slots, excluding: tried, at: now, random: &random)
        case .roundRobin(let choice): choice.pick(slots, excluding: tried)
        case .maglev(let choice): choice.pick(slots, key: key, excluding: tried)
        case .firstAvailable: slots.first(excluding: tried)
        }
    }

    private var turnsTaken: UInt64 {
        switch choice {
        case .roundRobin(let choice): choice.turnsTaken
        default: 0
        }
    }
}
