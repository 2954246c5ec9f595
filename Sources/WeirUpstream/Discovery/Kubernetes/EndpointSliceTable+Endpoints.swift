// SPDX-License-Identifier: Apache-2.0
// Which of a service's endpoints take its requests: the rules of kube-proxy. Pure.

import WeirEventLoop

extension EndpointSliceTable {
    /// The endpoints that requests go to: those that are ready; where there is none, those that end but still serve.
    ///
    /// Where our own zone is known, and each that is ready says which zones it is for, and one of them is for ours, it is
    /// those for our zone alone. A pod with addresses of both families is one endpoint, at its IPv4 address.
    ///
    /// - Parameter zone: where this process runs; nil where that is not known, or does not matter.
    /// - Returns: each place once, in the order of the places; empty where nobody takes requests.
    /// - Throws: where there are slices, but none with the port.
    package func endpoints(
        of service: KubernetesService,
        zone: String? = nil
    ) throws(KubernetesProblem) -> [DiscoveredEndpoint] {
        var found: [SocketAddress: EndpointSlice.Endpoint] = [:]
        var hasPort = false
        // In an order: where two slices disagree for a moment, it is the same one that is believed.
        for slice in slices.values.sorted(by: { $0.name < $1.name }) {
            guard let port = Self.port(service.port, of: slice) else { continue }
            hasPort = true
            for endpoint in slice.endpoints {
                // It may be in two slices while it moves from one to the other.
                if found[endpoint.address.withPort(port)]?.isReady == true { continue }
                found[endpoint.address.withPort(port)] = endpoint
            }
        }
        // The slice of a service without pods has no ports either.
        guard hasPort || slices.values.allSatisfy(\.ports.isEmpty) else { throw .noPort(service, known: portNames) }
        let taken = Self.inZone(zone, Self.taking(Self.inOneFamily(found)))
        return taken.sorted { $0.key.isOrdered(before: $1.key) }.map { address, endpoint in
            DiscoveredEndpoint(
                EndpointURL(place: .address(address)),
                health: endpoint.isReady ? .passing : .warning,
                authority: service.authority,
                zone: endpoint.zone
            )
        }
    }

    /// How many endpoints are ready, whatever their ports and zones.
    package var readyCount: Int {
        var found: [SocketAddress: EndpointSlice.Endpoint] = [:]
        for slice in slices.values {
            for endpoint in slice.endpoints where endpoint.isReady { found[endpoint.address] = endpoint }
        }
        return Self.inOneFamily(found).count
    }

    private typealias Found = [SocketAddress: EndpointSlice.Endpoint]

    /// The number of the port in this slice, which may be another in the next: pods need not agree on it.
    private static func port(_ wanted: KubernetesService.Port, of slice: EndpointSlice) -> UInt16? {
        switch wanted {
        case .only: slice.ports.count == 1 ? slice.ports[0].number : nil
        case .number(let number): slice.ports.contains { $0.number ?? number == number } ? number : nil
        case .name(let name): slice.ports.first { $0.name == name }?.number
        }
    }

    private static func inOneFamily(_ found: Found) -> Found {
        var targets: Set<String> = []
        for (address, endpoint) in found { if case .ipv4 = address { targets.insert(endpoint.target) } }
        return found.filter { address, endpoint in
            guard case .ipv6 = address else { return true }
            return endpoint.target.isEmpty || !targets.contains(endpoint.target)
        }
    }

    private static func taking(_ found: Found) -> Found {
        let ready = found.filter { $0.value.isReady }
        return ready.isEmpty ? found : ready
    }

    private static func inZone(_ zone: String?, _ found: Found) -> Found {
        guard let zone, found.values.allSatisfy({ $0.isReady && !$0.hints.isEmpty }) else { return found }
        let near = found.filter { $0.value.hints.contains(zone) }
        return near.isEmpty ? found : near
    }

    /// `http (8080), 9090`, for people: what could have been asked for.
    private var portNames: [String] {
        let ports = slices.values.flatMap(\.ports)
        let names = ports.map { port in
            let number = port.number.map(String.init) ?? "every number"
            return port.name.isEmpty ? number : "\(port.name) (\(number))"
        }
        return Set(names).sorted()
    }
}

extension SocketAddress {
    /// An order that depends on nothing but addresses.
    fileprivate func isOrdered(before other: SocketAddress) -> Bool {
        switch (self, other) {
        case (.ipv4(let a, let port), .ipv4(let b, let otherPort)): (a, port) < (b, otherPort)
        case (.ipv4, _): true
        case (.ipv6(let a, let b, let port), .ipv6(let c, let d, let otherPort)): (a, b, port) < (c, d, otherPort)
        default: false
        }
    }
}
