// SPDX-License-Identifier: Apache-2.0
// One upstream: where its endpoints are found, what their names stand for, and how they are. On the control loop.

import Logging
import WeirEventLoop
import WeirUpstream

/// Keeps an upstream's endpoints as its source lists them, with the addresses of their names and their checks.
final class WatchedUpstream {
    let upstream: Upstream
    private let tools: ControlTools
    private let names: EndpointNames
    private let checks: EndpointChecks
    private var source: DiscoverySource?
    private var sourceName: String?
    private var tls: TLSClientSettings?
    private var findsSecureEndpoints = false
    private var provider: (any DiscoveryProvider)?

    init(_ upstream: Upstream, _ tools: ControlTools) {
        self.upstream = upstream
        self.tools = tools
        names = EndpointNames(of: upstream, tools)
        checks = EndpointChecks(of: upstream, tools)
    }

    /// Takes a plan over; what it says as the one before stays as it is.
    func become(_ plan: UpstreamPlan) {
        checks.become(plan.check, plan.policy)
        if plan.tls != tls {
            tls = plan.tls
            if tls?.verifies == false { tools.logger.warning("upstream \(plan.name): certificates are not verified") }
        }
        if plan.sourceName != sourceName {
            provider?.stop()
            provider = nil
            source = plan.discover
            sourceName = plan.sourceName
            findsSecureEndpoints = plan.findsSecureEndpoints
            upstream.report.setSource(nil)
            if let source { begin(source, plan.sourceTLSClient) }
        }
        endpointsChanged()
    }

    func stop() {
        provider?.stop()
        provider = nil
        upstream.report.setSource(nil)
        names.stop()
        checks.stop()
    }

    private func endpointsChanged() {
        names.follow(upstream.endpoints)
        checks.follow(upstream.endpoints)
        upstream.reweigh(at: tools.loop.now, log: tools.logger)
    }

    // MARK: Its source

    /// What was listed before stays until the source lists something.
    private func begin(_ source: DiscoverySource, _ tls: TLSClient?) {
        let feed = DiscoveryFeed(upstream: upstream.name, kind: source.kind) { [weak self] news in self?.take(news) }
        upstream.report.setSource(UpstreamReport.Source(place: source.description, counts: feed.counts))
        provider = source.provider(for: feed, with: tools, tls)
        provider?.start()
    }

    private func take(_ news: DiscoveryNews) {
        switch news {
        case .endpoints(let found):
            // The configuration may be another by now than the one that this loop was told of.
            let endpoints = findsSecureEndpoints ? found.map(\.secure) : found
            guard upstream.replace(endpoints, from: sourceName) else { return }
            tools.logger.info(
                "upstream \(upstream.name): \(found.count) endpoint\(found.count == 1 ? "" : "s") discovered"
            )
            endpointsChanged()
        case .failing(let problem):
            upstream.report.noteSource(problem: problem)
            if let sourceName { upstream.noteFailure(of: sourceName) }
            tools.logger.warning("\(problem)")
        case .recovered(let text):
            upstream.report.noteSource(problem: nil)
            tools.logger.notice("\(text)")
        }
    }
}

extension DiscoveredEndpoint {
    /// The same, spoken to by TLS.
    fileprivate var secure: DiscoveredEndpoint {
        var endpoint = self
        endpoint.url = EndpointURL(scheme: .https, place: url.place, weight: url.weight)
        return endpoint
    }
}

extension DiscoverySource {
    var kind: DiscoveryKind {
        switch self {
        case .file: .file
        case .addresses, .services: .dns
        case .consul: .consul
        case .kubernetes: .kubernetes
        }
    }

    /// What reads it; nil where this process cannot, which the feed is told.
    fileprivate func provider(
        for feed: DiscoveryFeed,
        with tools: ControlTools,
        _ tls: TLSClient?
    ) -> (any DiscoveryProvider)? {
        switch self {
        case .file(let path): return FileProvider(path: path, feed: feed, on: tools.loop)
        case .addresses(let name, let port): return tools.names.addresses(of: name, port: port, for: feed)
        case .services(let name):
            if let provider = tools.names.services(of: name, for: feed) { return provider }
            feed.failed("this process cannot ask for services; import WeirDNS, and declare app.resolveNames(by: .dns)")
            return nil
        case .consul(let service):
            do throws(ConsulQueryError) {
                let query = try ConsulQuery(service, token: tools.consulToken)
                return ConsulProvider(query, feed: feed, on: tools.loop, tls: tls, lookup: tools.names.lookup)
            } catch {
                feed.failed(error)
                return nil
            }
        case .kubernetes(let service):
            guard let api = tools.cluster.api else {
                feed.failed(KubernetesProblem.noServer)
                return nil
            }
            return KubernetesProvider(
                service,
                from: api,
                zone: tools.cluster.zone,
                feed: feed,
                on: tools.loop,
                lookup: tools.names.lookup,
                secure: tools.clusterTarget
            )
        }
    }
}

extension ConsulQuery {
    init(_ service: ConsulService, token: String) throws(ConsulQueryError) {
        try self.init(
            server: EndpointURL(scheme: service.isSecure ? .https : .http, place: service.server),
            service: service.name,
            token: token.isEmpty ? nil : token
        )
        tags = service.tags
        datacenter = service.datacenter
    }
}
