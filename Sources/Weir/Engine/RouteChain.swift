// SPDX-License-Identifier: Apache-2.0
// Routes for the same host and path that conditions on fields and on clients' certificates part. Immutable, part of a snapshot; any loop.

import WeirHTTP
import WeirRouting

/// A condition on a header field, as a request is held against it.
struct HeaderCondition: Sendable {
    private enum Test {
        case present(Bool)
        case exact([UInt8])
        case prefix([UInt8])
    }

    /// In lower case.
    private let name: [UInt8]
    private let test: Test

    init(_ match: HeaderMatch) {
        name = Array(match.name.utf8)
        test =
            switch match.condition {
            case .present(let isThere): .present(isThere)
            case .exact(let text): .exact(Array(text.utf8))
            case .prefix(let text): .prefix(Array(text.utf8))
            }
    }

    /// Whether the request's first field of the name is as it must be.
    func holds(for exchange: Exchange) -> Bool {
        let value = exchange.fieldValue(lowercaseName: name)
        switch test {
        case .present(let isThere): return (value != nil) == isThere
        case .exact(let bytes): return value.map { $0.count == bytes.count && $0.elementsEqual(bytes) } ?? false
        case .prefix(let bytes): return value.map { $0.starts(with: bytes) } ?? false
        }
    }
}

/// A condition on the client's certificate; without one nothing holds but that there is none.
struct CertificateCondition: Sendable {
    private let part: String
    private let condition: HeaderMatch.Condition

    init(_ match: HeaderMatch) {
        part = match.name
        condition = match.condition
    }

    /// Whether one of the values that the certificate has is as it must be.
    func holds(for certificate: ClientCertificate?) -> Bool {
        let values = certificate?.values(of: part) ?? []
        return switch condition {
        case .present(let isThere): values.isEmpty != isThere
        case .exact(let text): values.contains(text)
        case .prefix(let text): values.contains { $0.hasPrefix(text) }
        }
    }
}

/// What the table's route stands for: the first route here whose methods and conditions hold takes the request.
struct RouteChain: Sendable {
    struct Link: Sendable {
        let methods: MethodSet
        let conditions: [HeaderCondition]
        let client: [CertificateCondition]
        /// Its place in `Snapshot.routes`.
        let route: Int
    }

    /// In the order of the file; at most `ReachabilityCheck.routesPerLeafMax` have the same method.
    private let links: [Link]
    /// Whether the same head may be another route's, of another client.
    let asksClient: Bool

    /// Nil where the first takes all: then nothing is asked of a request.
    init?(_ links: [Link]) {
        guard let first = links.first else { return nil }
        guard links.count > 1 || !first.conditions.isEmpty || !first.client.isEmpty else { return nil }
        self.links = links
        asksClient = links.contains { !$0.client.isEmpty }
    }

    /// The route of a request whose head was kept; nil where no conditions hold.
    func route(for exchange: Exchange) -> Int? {
        // A HEAD request that a GET route answers is parted as GET is.
        let method: MethodSet =
            exchange.match.pointee.isAutomaticHead
            ? .get : MethodSet(methodIndex: exchange.parser.pointee.head.method.rawValue)
        for link in links where link.methods.isSuperset(of: method) {
            if link.conditions.allSatisfy({ $0.holds(for: exchange) }),
                link.client.allSatisfy({ $0.holds(for: exchange.clientCertificate) })
            {
                return link.route
            }
        }
        return nil
    }
}
