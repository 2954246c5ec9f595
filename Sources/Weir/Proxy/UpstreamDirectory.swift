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
    /// How TLS is spoken with its endpoints; nil where there is none to speak it with. The policy has what comes of it.
    var tls: TLSClientSettings?
    /// The same of the server that lists them, and what comes of it.
    var sourceTLS: TLSClientSettings?
    var sourceTLSClient: TLSClient?
}

extension UpstreamPlan {
    /// Whether what its source lists is spoken to by TLS: a file's URLs say so themselves, names and addresses do not.
    var findsSecureEndpoints: Bool {
        if case .file = discover { false } else { discover != nil && tls != nil }
    }

    /// What tells its source from others; nil where the endpoints are given.
    var sourceName: String? { discover.map { findsSecureEndpoints ? "\($0) by TLS" : $0.description } }

    /// Refuses what does not fit together.
    func checkTLS() throws(AppError) {
        guard tls != nil, policy.proxyProtocol != nil else { return }
        // It would stand in front of the handshake, where nobody expects it.
        throw .routes("upstream \"\(name)\": the PROXY protocol is not spoken together with TLS; leave one of them out")
    }
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
                    source: plan.sourceName
                )
            return upstream.draft(plan.endpoints, policy: plan.policy, source: plan.sourceName)
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
