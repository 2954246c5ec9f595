// SPDX-License-Identifier: Apache-2.0
// What the names of an upstream's endpoints stand for. On the control loop.

import Logging
import WeirUpstream

/// Has each endpoint that is a name know its addresses, which take turns: it is one endpoint with one weight and one
/// health. Who wants an endpoint for each address discovers them (`dns://`).
final class EndpointNames {
    private struct Watch {
        let endpoint: Endpoint
        let provider: any DiscoveryProvider
    }

    private let upstream: Upstream
    private let tools: ControlTools
    private var watches: [ObjectIdentifier: Watch] = [:]

    init(of upstream: Upstream, _ tools: ControlTools) {
        self.upstream = upstream
        self.tools = tools
    }

    func follow(_ endpoints: [Endpoint]) {
        var former = watches
        watches = [:]
        for endpoint in endpoints {
            guard case .name(let name, let port) = endpoint.url.place else { continue }
            let id = ObjectIdentifier(endpoint)
            watches[id] = former.removeValue(forKey: id) ?? watch(endpoint, name, port)
        }
        for gone in former.values { gone.provider.stop() }
    }

    func stop() {
        follow([])
    }

    private func watch(_ endpoint: Endpoint, _ name: String, _ port: UInt16) -> Watch {
        let feed = DiscoveryFeed(upstream: upstream.name, kind: .dns) { [upstream, logger = tools.logger] news in
            switch news {
            case .endpoints(let found):
                upstream.resolved(
                    endpoint,
                    to: found.compactMap { found in
                        if case .address(let address) = found.url.place { address } else { nil }
                    }
                )
            case .failing(let problem): logger.warning("\(problem)")
            case .recovered(let text): logger.notice("\(text)")
            }
        }
        let provider = tools.names.addresses(of: name, port: port, for: feed)
        provider.start()
        return Watch(endpoint: endpoint, provider: provider)
    }
}
