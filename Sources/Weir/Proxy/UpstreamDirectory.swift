// SPDX-License-Identifier: Apache-2.0
// The upstreams of an engine by their names, so that those that stay at a reload stay the same objects.

import Synchronization
import WeirUpstream

/// What an upstream is to be: what settings, routes and files say of it.
struct UpstreamPlan: Sendable {
    var name: String
    var endpoints: [EndpointURL]
    var policy: UpstreamPolicy
    /// Where its endpoints are found; `endpoints` is empty then.
    var discover: DiscoverySource?
    /// How its endpoints are asked whether they are well; nil for not at all.
    var check: HealthCheckConfiguration?
}

/// Upstreams by name. Making a snapshot changes none of them: it names what they are to be, and they become it when it is
/// published.
final class UpstreamDirectory: Sendable {
    private let present = Mutex<[String: Upstream]>([:])

    /// For each plan the upstream of its name, or a new one, and what it becomes.
    func drafts(_ plans: [UpstreamPlan]) -> [UpstreamDraft] {
        let present = present.withLock { $0 }
        return plans.map { plan in
            let upstream =
                present[plan.name]
                ?? Upstream(
                    name: plan.name,
                    endpoints: plan.endpoints,
                    policy: plan.policy,
                    source: plan.discover?.description
                )
            return upstream.draft(plan.endpoints, policy: plan.policy, source: plan.discover?.description)
        }
    }

    /// The snapshot that names these is published.
    func publish(_ drafts: [UpstreamDraft]) {
        for draft in drafts { draft.upstream.begin(draft) }
        present.withLock { present in
            present = Dictionary(uniqueKeysWithValues: drafts.map { ($0.upstream.name, $0.upstream) })
        }
    }
}
