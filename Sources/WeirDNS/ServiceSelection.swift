// SPDX-License-Identifier: Apache-2.0
// Which of a service's records are used, and with what weights (RFC 2782). Pure.

package import WeirEventLoop
package import WeirUpstream

package enum ServiceSelection {
    /// By how much a weight outweighs a 0 beside it, which "should have a very small chance of being selected".
    private static let zeroDivisor = 100

    /// The records of each priority, the best first; in an order that does not depend on the server's.
    package static func groups(_ records: [ServiceAnswer.Record]) -> [[ServiceAnswer.Record]] {
        let present = records.filter { authority($0) != nil }
        let priorities = Set(present.map(\.priority)).sorted()
        return priorities.map { priority in
            present.filter { $0.priority == priority }
                .sorted { ($0.target, $0.port, $0.weight) < ($1.target, $1.port, $1.weight) }
        }
    }

    /// The endpoints of one priority; each address of a target has the record's weight.
    package static func endpoints(
        _ group: [ServiceAnswer.Record],
        addresses: [String: [SocketAddress]]
    ) -> [DiscoveredEndpoint] {
        zip(group, weights(group.map(\.weight))).flatMap { record, weight in
            (addresses[record.target] ?? []).map { address in
                let url = EndpointURL(place: .address(address.withPort(record.port)), weight: weight)
                return DiscoveredEndpoint(url, authority: authority(record))
            }
        }
    }

    /// What the Host field says; nil for a target that is no host's name, among them the empty one that stands for "no
    /// such service here". Labels may hold any byte, and this one goes into requests.
    private static func authority(_ record: ServiceAnswer.Record) -> String? {
        guard let url = try? EndpointURL(parsing: "http://\(record.target):\(record.port)"), case .name = url.place
        else {
            return nil
        }
        return url.authority
    }

    /// Weights from 1: all the same where all are 0, and larger ones where some are.
    package static func weights(_ weights: [UInt16]) -> [Int] {
        guard let largest = weights.max(), largest > 0, weights.contains(0) else {
            return weights.map { max(1, Int($0)) }
        }
        let factor = max(1, min(zeroDivisor, EndpointURL.weightMax / Int(largest)))
        return weights.map { max(1, Int($0) * factor) }
    }
}
