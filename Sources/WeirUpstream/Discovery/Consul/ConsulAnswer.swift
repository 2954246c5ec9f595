// SPDX-License-Identifier: Apache-2.0
// What Consul answers to a question for a service: JSON to endpoints. Pure.

import FoundationEssentials
import WeirEventLoop

/// Reads the answer of `/v1/health/service/:name`.
package enum ConsulAnswer {
    /// The instances that can be connected to, in the order of their ids; nil where the bytes are no such answer.
    ///
    /// An instance is as well as its worst check. One without a usable address or port is left out: whoever registered it
    /// must not keep the others from being used.
    package static func endpoints(_ bytes: [UInt8]) -> [DiscoveredEndpoint]? {
        guard let entries = try? JSONDecoder().decode([Entry].self, from: Data(bytes)) else { return nil }
        return entries.sorted { ($0.service.id ?? "", $0.node.name ?? "") < ($1.service.id ?? "", $1.node.name ?? "") }
            .compactMap(endpoint)
    }

    private static func endpoint(_ entry: Entry) -> DiscoveredEndpoint? {
        let service = entry.service
        let host = service.address.flatMap { $0.isEmpty ? nil : $0 } ?? entry.node.address ?? ""
        guard let port = service.port.flatMap(UInt16.init(exactly:)), port > 0, let place = place(host, port) else {
            return nil
        }
        let passing = service.weights?.passing ?? EndpointURL.weightDefault
        return DiscoveredEndpoint(
            EndpointURL(place: place, weight: min(max(passing, 1), EndpointURL.weightMax)),
            warningWeight: service.weights?.warning.map { min(max($0, 0), EndpointURL.weightMax) },
            health: worst(of: entry.checks ?? []),
            zone: service.locality?.zone ?? entry.node.locality?.zone,
            tags: service.tags ?? []
        )
    }

    private static func place(_ host: String, _ port: UInt16) -> EndpointURL.Place? {
        if let address = SocketAddress(host: host, port: port) { return .address(address.unmapped) }
        guard let url = try? EndpointURL(parsing: "http://\(host):\(port)"), case .name = url.place else { return nil }
        return url.place
    }

    /// Consul's own rule; maintenance is a critical check, and so is a word that is not known.
    private static func worst(of checks: [Check]) -> DiscoveredHealth {
        var worst = DiscoveredHealth.passing
        for check in checks {
            switch check.status {
            case "passing": continue
            case "warning": worst = .warning
            default: return .critical
            }
        }
        return worst
    }

    private struct Entry: Decodable {
        let node: Node
        let service: Service
        let checks: [Check]?

        enum CodingKeys: String, CodingKey {
            case node = "Node"
            case service = "Service"
            case checks = "Checks"
        }
    }

    private struct Node: Decodable {
        let name: String?
        let address: String?
        let locality: Locality?

        enum CodingKeys: String, CodingKey {
            case name = "Node"
            case address = "Address"
            case locality = "Locality"
        }
    }

    private struct Service: Decodable {
        let id: String?
        let address: String?
        let port: Int?
        let weights: Weights?
        let tags: [String]?
        let locality: Locality?

        enum CodingKeys: String, CodingKey {
            case id = "ID"
            case address = "Address"
            case port = "Port"
            case weights = "Weights"
            case tags = "Tags"
            case locality = "Locality"
        }
    }

    private struct Weights: Decodable {
        let passing: Int?
        let warning: Int?

        enum CodingKeys: String, CodingKey {
            case passing = "Passing"
            case warning = "Warning"
        }
    }

    private struct Locality: Decodable {
        let zone: String?

        enum CodingKeys: String, CodingKey {
            case zone = "Zone"
        }
    }

    private struct Check: Decodable {
        let status: String?

        enum CodingKeys: String, CodingKey {
            case status = "Status"
        }
    }
}
