// SPDX-License-Identifier: Apache-2.0
// The endpoints of an upstream as they are at one time: what loops choose from. Immutable, shared by all loops.

/// Endpoints, their weights, and what their connections may take. A change makes another set; endpoints that stay are
/// the same objects in both, so that they keep their connections and counts.
package final class EndpointSet: Sendable {
    /// Loops tell the sets of an upstream apart by it.
    package let version: UInt64
    /// In the order in which they were given.
    package let endpoints: [Endpoint]
    /// How often each is asked, beside the others.
    package let weights: [Int]
    package let policy: UpstreamPolicy
    /// One more than the highest slot of an endpoint.
    let slotCount: Int
    /// Whose turn it is, endpoint by endpoint, as often as their weights say.
    private let turns: [UInt16]

    init(version: UInt64, endpoints: [Endpoint], weights: [Int], policy: UpstreamPolicy) {
        self.version = version
        self.endpoints = endpoints
        self.weights = weights
        self.policy = policy
        slotCount = (endpoints.lazy.map(\.slot).max() ?? -1) + 1
        turns = weights.isEmpty ? [] : RoundRobinSchedule.turns(weights)
    }

    /// The place of the endpoint that comes at this turn of a weighted round robin. There is one.
    func place(atTurn turn: UInt64) -> Int {
        guard turns.count > 1 else { return 0 }
        return Int(turns[Int(turn % UInt64(turns.count))])
    }

    /// The place of the endpoint behind the one with this slot; nil if that is no longer here.
    func place(after slot: Int) -> Int? {
        guard let place = endpoints.firstIndex(where: { $0.slot == slot }) else { return nil }
        return place + 1 < endpoints.count ? place + 1 : 0
    }
}
