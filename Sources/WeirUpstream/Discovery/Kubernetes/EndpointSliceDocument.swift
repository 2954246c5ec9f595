// SPDX-License-Identifier: Apache-2.0
// The JSON of a slice to a value. Pure.

import WeirEventLoop

/// What an API server says of a slice, in `discovery.k8s.io/v1` and `v1beta1`.
package struct EndpointSliceDocument: KubernetesDocument {
    package let metadata: KubernetesMetadata
    private let addressType: String?
    private let endpoints: [EndpointDocument]?
    private let ports: [PortDocument]?

    /// Nil for one without a name. One of names (`FQDN`), or of a family that is not known, has no endpoint for us.
    package var object: EndpointSlice? {
        guard let name = metadata.name, !name.isEmpty else { return nil }
        return EndpointSlice(
            name: name,
            ports: (ports ?? []).compactMap(\.tcp),
            endpoints: (endpoints ?? []).compactMap { $0.endpoint(family: addressType) }
        )
    }
}

private struct PortDocument: Decodable {
    let name: String?
    let port: Int?
    let `protocol`: String?

    /// Nil for one that is not TCP's, which is meant where nothing is said.
    var tcp: EndpointSlice.Port? {
        guard `protocol` ?? "TCP" == "TCP" else { return nil }
        guard let port else { return EndpointSlice.Port(name: name ?? "", number: nil) }
        guard let number = UInt16(exactly: port), number > 0 else { return nil }
        return EndpointSlice.Port(name: name ?? "", number: number)
    }
}

private struct EndpointDocument: Decodable {
    let addresses: [String]?
    let conditions: Conditions?
    let targetRef: Reference?
    let zone: String?
    /// Of v1beta1, in place of `zone`.
    let topology: [String: String]?
    let hints: Hints?

    /// Nil for one that takes no requests, or whose address is none. Of several addresses the first counts, as for all
    /// who read slices: they stand for the same.
    func endpoint(family: String?) -> EndpointSlice.Endpoint? {
        let isReady = conditions?.ready ?? true
        let isDraining = conditions?.serving ?? true && conditions?.terminating ?? false
        guard isReady || isDraining, let text = addresses?.first, let address = SocketAddress(host: text, port: 0)
        else { return nil }
        switch (family, address) {
        case ("IPv4", .ipv4), ("IPv6", .ipv6): break
        default: return nil
        }
        return EndpointSlice.Endpoint(
            address.unmapped,
            target: targetRef?.uid ?? targetRef?.name ?? "",
            isReady: isReady,
            zone: zone ?? topology?["topology.kubernetes.io/zone"],
            hints: (hints?.forZones ?? []).compactMap(\.name)
        )
    }
}

/// What is not said counts as ready, serving and not terminating.
private struct Conditions: Decodable {
    let ready: Bool?
    let serving: Bool?
    let terminating: Bool?
}

private struct Reference: Decodable {
    let name: String?
    let uid: String?
}

private struct Hints: Decodable {
    let forZones: [Zone]?
}

private struct Zone: Decodable {
    let name: String?
}
