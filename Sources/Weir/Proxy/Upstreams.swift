// SPDX-License-Identifier: Apache-2.0
// From settings and routes to what upstreams are to be.

import WeirEventLoop
import WeirHTTP
import WeirUpstream

/// Plans the upstreams of an engine.
enum Upstreams {
    /// The name of the one that `WEIR_UPSTREAM` lists.
    static let defaultName = "default"

    /// The one of the settings, if it has endpoints, and those that are declared, in the order in which they are made.
    /// A name alone stands for the endpoints that are listed under it, if there are any.
    static func references(_ settings: Settings, _ declared: [UpstreamReference]) -> [UpstreamReference] {
        var all = declared
        for index in all.indices {
            all[index].isForwardedTo = declared.contains { $0.name == all[index].name && $0.isForwardedTo }
        }
        if !settings.upstream.endpoints.isEmpty {
            all.insert(UpstreamReference(name: defaultName, endpoints: settings.upstream.endpoints), at: 0)
        }
        return all.filter { reference in
            reference.endpoints != nil || !all.contains { $0.name == reference.name && $0.endpoints != nil }
        }
    }

    /// What they are to be; each name once.
    static func plans(_ settings: Settings, _ references: [UpstreamReference]) throws(AppError) -> [UpstreamPlan] {
        var policy = UpstreamPolicy(settings)
        var plans: [UpstreamPlan] = []
        for reference in references {
            guard let endpoints = reference.endpoints else {
                let known = references.filter { $0.endpoints != nil }.map(\.name).joined(separator: ", ")
                throw .routes(
                    "upstream \"\(reference.name)\" of a route is not in the settings; expected "
                        + (known.isEmpty ? "WEIR_UPSTREAM with its endpoints" : "one of: \(known)")
                )
            }
            guard !plans.contains(where: { $0.name == reference.name }) else {
                throw .routes("upstream \"\(reference.name)\" is there twice; give one another name")
            }
            policy.gatesReadiness = reference.isForwardedTo
            if let source = try Self.source(endpoints, of: reference) {
                var plan = UpstreamPlan(name: reference.name, endpoints: [], policy: policy, discover: source)
                plan.sourceTLS = source.tlsSettings(settings.upstream.consulTLS)
                plans.append(plan)
                continue
            }
            do throws(EndpointURLError) {
                let urls = try EndpointURL.list(endpoints.joined(separator: ","))
                var plan = UpstreamPlan(name: reference.name, endpoints: urls, policy: policy)
                if urls.contains(where: { $0.scheme == .https }) { plan.tls = TLSClientSettings(settings.upstream.tls) }
                plans.append(plan)
            } catch {
                let text = "\(error)".escapedForLine(quotes: false)
                throw .routes("upstream \"\(reference.name)\": \(text)")
            }
        }
        return plans
    }
}

extension Upstreams {
    /// Where endpoints are found; nil where these are they.
    private static func source(
        _ endpoints: [String],
        of reference: UpstreamReference
    ) throws(AppError) -> DiscoverySource? {
        guard endpoints.count == 1, DiscoverySource.isNamed(by: endpoints[0]) else { return nil }
        do throws(DiscoverySourceError) {
            return try DiscoverySource(parsing: endpoints[0])
        } catch {
            throw .routes("upstream \"\(reference.name)\": \(error.reason)")
        }
    }
}

extension UpstreamPolicy {
    init(_ settings: Settings) {
        self.init()
        balancing = BalancingPolicy(settings.upstream.balance)
        connectionsMax = settings.upstream.connectionsMax
        waitingMax = settings.upstream.waitingMax
        connectTimeout = settings.upstream.connectTimeout.nanosecondsClamped
        idleTimeout = settings.upstream.idleTimeout.nanosecondsClamped
        transferTimeout = settings.upstream.transferTimeout.nanosecondsClamped
        proxyProtocol = settings.upstream.proxyProtocol.version
        http.headerBytesMax = settings.upstream.headerBytes
        http.headerFieldsMax = settings.upstream.headerFields
    }
}

extension BalancingPolicy {
    init(_ balance: Settings.Balance) {
        self =
            switch balance {
            case .leastLatency: .leastLatency
            case .roundRobin: .roundRobin
            case .maglev: .maglev
            case .first: .firstAvailable
            }
    }
}
