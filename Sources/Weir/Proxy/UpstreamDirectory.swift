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

/// Upstreams by name. Making a snapshot changes none of them; only when it is published do they become what it says.
final class UpstreamDirectory: Sendable {
    private let present = Mutex<[String: Upstream]>([:])

    /// For each plan the upstream of its name, as it is, or a new one.
    func upstreams(_ plans: [UpstreamPlan]) -> [Upstream] {
        present.withLock { present in
            plans.map { plan in
                present[plan.name] ?? Upstream(name: plan.name, endpoints: plan.endpoints, policy: plan.policy)
            }
        }
    }

    /// The snapshot that was made of these plans is published: its upstreams become what they say.
    func publish(_ plans: [UpstreamPlan], _ upstreams: [Upstream]) {
        let former = present.withLock { present in
            let former = present
            present = Dictionary(uniqueKeysWithValues: upstreams.map { ($0.name, $0) })
            return former
        }
        for (plan, upstream) in zip(plans, upstreams) where former[plan.name] === upstream {
            // What a source has listed stays; whether it is another, the control loop finds out.
            if plan.discover == nil {
                upstream.replace(plan.endpoints, policy: plan.policy)
            } else {
                upstream.replace(policy: plan.policy)
            }
        }
    }
}
