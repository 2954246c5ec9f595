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
    package let configuredWeights: [ConfiguredWeight]
    /// What has become of them, and the choice by it. Its places are those of `endpoints`.
    package let table: BalancerTable
    /// Whether so few endpoints are well that all are used.
    package let isPanicking: Bool
    package let policy: UpstreamPolicy
    /// By slot: the place of its endpoint, or `noPlace`.
    private let places: [UInt16]
    private static let noPlace = UInt16.max

    init(
        version: UInt64,
        endpoints: [Endpoint],
        configuredWeights: [ConfiguredWeight],
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
        var places = [UInt16](repeating: Self.noPlace, count: (endpoints.lazy.map(\.slot).max() ?? -1) + 1)
        for (place, endpoint) in endpoints.enumerated() { places[endpoint.slot] = UInt16(place) }
        self.places = places
        table = BalancerTable(
            policy.balancing,
            zip(endpoints, weights).map { BalancerTable.Entry($0, $1) },
            replacing: former?.table
        )
    }

    /// Whether the endpoint at this place gets requests.
    func isUsed(_ place: Int) -> Bool { table.entries[place].weight > .zero }

    /// One more than the highest slot of an endpoint.
    var slotCount: Int { places.count }

    /// Whether this is one of the endpoints: its slot may be another's by now.
    func contains(_ endpoint: Endpoint) -> Bool {
        guard endpoint.slot < places.count, places[endpoint.slot] != Self.noPlace else { return false }
        return endpoints[Int(places[endpoint.slot])] === endpoint
    }

    /// The places of endpoints with these slots.
    func places(of slots: TriedEndpoints) -> TriedEndpoints {
        var tried = TriedEndpoints()
        for slot in slots.all where slot < places.count && places[slot] != Self.noPlace {
            tried.insert(Int(places[slot]))
        }
        return tried
    }

    /// Whether it is what these would come to.
    func lists(_ urls: [EndpointURL]) -> Bool {
        urls.count == endpoints.count
            && urls.indices.allSatisfy { place in
                urls[place].place == endpoints[place].url.place
                    && ConfiguredWeight(urls[place].weight) == configuredWeights[place]
                    && endpoints[place].isSame(as: DiscoveredEndpoint(urls[place]))
            }
    }
}
