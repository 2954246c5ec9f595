// SPDX-License-Identifier: Apache-2.0
// The upstreams of a route whose requests are divided by weight: canary, blue-green. Immutable, part of the snapshot.

import WeirUpstream

/// Where a route passes requests on to.
final class RouteUpstream: Sendable {
    /// Its place in `Snapshot.upstreams`.
    let index: Int
    let upstream: Upstream
    let edition: UpstreamEdition

    init(index: Int, _ draft: UpstreamDraft) {
        self.index = index
        upstream = draft.upstream
        edition = draft.edition
    }
}

/// Chooses an upstream for each request of a route.
final class RouteSplit: Sendable {
    private let split: WeightedSplit
    private let upstreams: [RouteUpstream]

    /// Nil where there is nothing to choose.
    init?(_ shares: [(upstream: RouteUpstream, weight: Int)]) {
        guard shares.count > 1 else { return nil }
        split = WeightedSplit(shares.map(\.weight))
        upstreams = shares.map(\.upstream)
    }

    /// The upstream of a random number. No allocation.
    func upstream(_ random: UInt64) -> RouteUpstream { upstreams[split.destination(of: random)] }
}
