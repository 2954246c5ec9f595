// SPDX-License-Identifier: Apache-2.0
// The ways to choose an endpoint, in the words of the settings.

/// What keeps a request with an endpoint under `maglev`.
package enum BalancingKeySource: Sendable, Equatable {
    case client
    /// A field's name in lower case.
    case header([UInt8])
    case cookie([UInt8])
}

/// How an upstream chooses among its endpoints. Each gives an endpoint without weight nothing.
package enum BalancingPolicy: String, Sendable, CaseIterable {
    /// Of two that are drawn by weight, the one that will answer sooner: power of two choices over peak EWMA and requests
    /// in flight.
    case leastLatency = "least-latency"
    /// Each in turn, as often as its weight says, spread evenly.
    case roundRobin = "round-robin"
    /// The same for the same key, as long as it can be had.
    case maglev
    /// The first of the list, the next only where it cannot be had.
    case firstAvailable = "first"

    package static let `default` = leastLatency
}
