// SPDX-License-Identifier: Apache-2.0
// Where an upstream's endpoints are found, and the URL that says so. A plain value.

package import WeirUpstream

/// A source of endpoints.
package enum DiscoverySource: Sendable, Equatable {
    /// A file with this absolute path.
    case file(path: String)
    /// The addresses of a name (A and AAAA); the port is not in them.
    case addresses(name: String, port: UInt16)
    /// What SRV records of a name say.
    case services(name: String)
    /// A service of a Consul server.
    case consul(ConsulService)
    /// A service of the Kubernetes cluster.
    case kubernetes(KubernetesService)
}

/// A service as a Consul server knows it.
package struct ConsulService: Sendable, Equatable {
    /// Where the server's HTTP API is.
    package var server: EndpointURL.Place
    package var name: String
    /// All of which an instance must have.
    package var tags: [String] = []
    package var datacenter: String?
    /// Whether the server is spoken to by TLS.
    package var isSecure = false

    package init(
        server: EndpointURL.Place,
        name: String,
        tags: [String] = [],
        datacenter: String? = nil,
        isSecure: Bool = false
    ) {
        self.isSecure = isSecure
        self.server = server
        self.name = name
        self.tags = tags
        self.datacenter = datacenter
    }
}

extension DiscoverySource: CustomStringConvertible {
    /// The URL that reads as this source.
    package var description: String {
        switch self {
        case .file(let path): return "file://\(path)"
        case .addresses(let name, let port): return "dns://\(name):\(port)"
        case .services(let name): return "dns+srv://\(name)"
        case .consul(let service):
            let options =
                service.tags.map { "tag=\($0)" } + (service.datacenter.map { ["dc=\($0)"] } ?? [])
            let scheme = service.isSecure ? "consul+https" : "consul"
            let url = "\(scheme)://\(EndpointURL(place: service.server).authorityWithPort)/\(service.name)"
            return options.isEmpty ? url : "\(url)?\(options.joined(separator: "&"))"
        case .kubernetes(let service): return "k8s://\(service)"
        }
    }
}
