// SPDX-License-Identifier: Apache-2.0
// The endpoints of an upstream as they are at one time: what loops choose from. Immutable, shared by all loops.

/// Endpoints, what each gets of the requests, and what their connections may take. A change makes another set; endpoints
/// that stay are the same objects in both, so that they keep their connections and counts.
package final class EndpointSet: Sendable {
    /// Loops tell the sets of an upstream apart by it.
    package let version: UInt64
    /// In the order in which they were given.
    package let endpoints: [Endpoint]
    /// The weights that they were given.
    package let configuredWeights: [Int]
    /// What has become of them, and the choice by it. Its places are those of `endpoints`.
    package let table: BalancerTable
    /// Whether so few endpoints are well that all are used.
    package let isPanicking: Bool
    package let policy: UpstreamPolicy
    /// One more than the highest slot of an endpoint.
    let slotCount: Int

    init(
        version: UInt64,
        endpoints: [Endpoint],
        configuredWeights: [Int],
        weights: [EffectiveWeight],
        isPanicking: Bool,
        policy: UpstreamPolicy,
        replacing former: EndpointSet?
    ) {
        self.version = version
        self.endpoints = endpoints
        self.configuredWeights = configuredWeights
        self.isPanicking = isPanicking
        self.policy = policy
        slotCount = (endpoints.lazy.map(\.slot).max() ?? -1) + 1
        table = BalancerTable(
            policy.balancing,
            zip(endpoints, weights).map { BalancerTable.Entry($0, $1) },
            replacing: former?.table
        )
    }

    /// Whether the endpoint at this place gets requests.
    func isUsed(_ place: Int) -> Bool { table.entries[place].weight > .zero }

    /// The places of endpoints with these slots. It looks at all: for requests that have failed before.
    func places(of slots: TriedEndpoints) -> TriedEndpoints {
        var places = TriedEndpoints()
        for (place, endpoint) in endpoints.enumerated() where slots.contains(endpoint.slot) { places.insert(place) }
        return places
    }
}
