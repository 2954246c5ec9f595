// SPDX-License-Identifier: Apache-2.0
// What an API server says of slices: JSON of `discovery.k8s.io/v1` and `v1beta1` to values. Pure.

import FoundationEssentials
import WeirEventLoop

/// Reads lists and events. Nothing is half read: a document of which one part is of a wrong type is none.
package enum EndpointSliceJSON {
    /// The longest version or continuation: they come back in the next request's target.
    private static let tokenBytesMax = 4096

    /// An `EndpointSliceList`; nil where the bytes are none.
    package static func list(_ bytes: [UInt8]) -> EndpointSliceList? {
        guard let document = try? JSONDecoder().decode(ListDocument.self, from: Data(bytes)),
            let version = token(document.metadata.resourceVersion)
        else { return nil }
        var continuation: String?
        if let next = document.metadata.continue, !next.isEmpty {
            guard let next = token(next) else { return nil }
            continuation = next
        }
        var slices: [EndpointSlice] = []
        for item in document.items ?? [] {
            guard let slice = item.slice else { return nil }
            slices.append(slice)
        }
        return EndpointSliceList(slices, resourceVersion: version, continuation: continuation)
    }

    /// A line of a watch; nil where the bytes are none.
    package static func event(_ bytes: [UInt8]) -> EndpointSliceEvent? {
        try? JSONDecoder().decode(EventDocument.self, from: Data(bytes)).event
    }

    /// A `Status`, as the body of an answer that is a refusal; nil where the bytes are none.
    package static func status(_ bytes: [UInt8]) -> APIStatus? {
        try? JSONDecoder().decode(StatusDocument.self, from: Data(bytes)).status
    }

    private static func token(_ text: String?) -> String? {
        guard let text, (1...tokenBytesMax).contains(text.utf8.count) else { return nil }
        return text
    }

    // MARK: Documents

    private struct ListDocument: Decodable {
        let metadata: ListMetadata
        let items: [SliceDocument]?
    }

    private struct ListMetadata: Decodable {
        let resourceVersion: String?
        let `continue`: String?
    }

    private struct ObjectMetadata: Decodable {
        let name: String?
        let resourceVersion: String?
    }

    private struct BookmarkDocument: Decodable {
        let metadata: ObjectMetadata
    }

    private struct StatusDocument: Decodable {
        let code: Int?
        let message: String?

        var status: APIStatus { APIStatus(code: code ?? 0, message: message ?? "") }
    }

    private struct EventDocument: Decodable {
        let event: EndpointSliceEvent?

        enum CodingKeys: String, CodingKey {
            case type
            case object
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            switch try container.decode(String.self, forKey: .type) {
            case "ADDED", "MODIFIED":
                let document = try container.decode(SliceDocument.self, forKey: .object)
                guard let slice = document.slice, let version = token(document.metadata.resourceVersion) else {
                    event = nil
                    return
                }
                event = .changed(slice, resourceVersion: version)
            case "DELETED":
                let metadata = try container.decode(BookmarkDocument.self, forKey: .object).metadata
                guard let name = metadata.name, let version = token(metadata.resourceVersion) else {
                    event = nil
                    return
                }
                event = .gone(name: name, resourceVersion: version)
            case "BOOKMARK":
                let metadata = try container.decode(BookmarkDocument.self, forKey: .object).metadata
                event = token(metadata.resourceVersion).map { .bookmark(resourceVersion: $0) }
            case "ERROR": event = .failed(try container.decode(StatusDocument.self, forKey: .object).status)
            default: event = .unknown
            }
        }
    }

    private struct SliceDocument: Decodable {
        let metadata: ObjectMetadata
        let addressType: String?
        let endpoints: [EndpointDocument]?
        let ports: [PortDocument]?

        /// Nil for one without a name. One of names (`FQDN`), or of a family that is not known, has no endpoint for us.
        var slice: EndpointSlice? {
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
}
