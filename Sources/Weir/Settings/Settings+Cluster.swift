// SPDX-License-Identifier: Apache-2.0
// Which limits can be the cluster's, and which settings of them fit together. Pure.

import WeirFlow

extension Settings.RateLimiting {
    /// Whether limits are counted in a store.
    var usesStore: Bool { scope == .cluster && !redis.isEmpty }

    /// Why this limit cannot hold for the cluster, and what would be right; nil where it can.
    func clusterFault(of limit: RateLimit) -> String? {
        guard scope == .cluster else { return nil }
        if redis.isEmpty {
            guard limit.limit.key != .none else { return nil }
            return "a limit by key of the cluster (WEIR_RATE_LIMIT_SCOPE=cluster) needs WEIR_REDIS=redis://host:6379: "
                + "a client on one connection meets one replica, and would get a share of the limit only"
        }
        guard StoreLimit(limit.limit, name: "") == nil else { return nil }
        return limit.limit.algorithm == .slidingWindow
            ? "Redis counts limits of the cluster by GCRA, not in windows; leave algorithm=sliding-window out"
            : "Redis counts no burst of the cluster that takes more than 52d to come back; make it smaller"
    }
}
