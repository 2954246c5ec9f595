// SPDX-License-Identifier: Apache-2.0
// Where a check goes: the URL of an HTTP check, the address of a TCP check. Strict; pure.

/// Why a place for a check cannot be used.
package enum CheckURLError: Error, Equatable, CustomStringConvertible {
    case tlsUnsupported(url: String)
    /// The text is no URL or `host:port`; `reason` says what is wrong with the part before the path.
    case malformed(url: String, reason: String)
    /// The path or the query has a byte that cannot stand in a request line.
    case invalidTarget(url: String)
    case tooLong(byteCount: Int, bytesMax: Int)
    /// A TCP check says which port.
    case missingPort(address: String)

    package var description: String {
        switch self {
        case .tlsUnsupported(let url): "\(url): TLS is not supported; expected http://"
        case .malformed(let url, let reason): "\(url): \(reason)"
        case .invalidTarget(let url): "\(url): its path has a blank, a control character, or a byte beyond ASCII"
        case .tooLong(let count, let max): "a URL of \(count) bytes; expected at most \(max)"
        case .missingPort(let address): "\(address): expected host:port"
        }
    }
}

/// What an HTTP check asks for, and where: `http://10.0.0.1:8080/healthz?deep`.
package struct CheckURL: Sendable, Equatable {
    package static let bytesMax = 2048

    package let place: EndpointURL.Place
    /// What the Host field says.
    package let authority: String
    /// Path and query, as they stand in the request line.
    package let target: String
    /// As it was given.
    package let text: String

    package init(parsing text: String) throws(CheckURLError) {
        guard text.utf8.count <= Self.bytesMax else {
            throw .tooLong(byteCount: text.utf8.count, bytesMax: Self.bytesMax)
        }
        guard let scheme = text.firstRange(of: "://") else { throw .malformed(url: text, reason: "expected http://…") }
        if text[..<scheme.lowerBound].lowercased() == "https" { throw .tlsUnsupported(url: text) }
        let rest = text[scheme.upperBound...]
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        let endpoint: EndpointURL
        do throws(EndpointURLError) {
            endpoint = try EndpointURL(parsing: String(text[..<end]))
        } catch {
            throw .malformed(url: text, reason: "\(error)")
        }
        // The fragment stays with who wrote it (RFC 9110 section 4.2.5).
        let target = rest[end...].prefix { $0 != "#" }
        self.init(
            place: endpoint.place,
            authority: endpoint.authority,
            target: target.hasPrefix("/") ? String(target) : "/\(target)",
            text: text
        )
        guard Self.isTarget(self.target) else { throw .invalidTarget(url: text) }
    }

    /// A path that endpoints declare, at one of them.
    package init(path: String, at endpoint: EndpointURL) throws(CheckURLError) {
        self.init(
            place: endpoint.place,
            authority: endpoint.authority,
            target: path,
            text: endpoint.withoutWeight.description + path
        )
        guard path.hasPrefix("/"), path.utf8.count <= Self.bytesMax, Self.isTarget(path) else {
            throw .invalidTarget(url: text)
        }
    }

    private init(place: EndpointURL.Place, authority: String, target: String, text: String) {
        self.place = place
        self.authority = authority
        self.target = target
        self.text = text
    }

    /// Anything else could end the request line, or begin a second request.
    private static func isTarget(_ target: String) -> Bool { target.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } }
}

extension EndpointURL.Place {
    /// The `host:port` of a TCP check.
    package init(hostAndPort text: String) throws(CheckURLError) {
        guard text.utf8.count <= CheckURL.bytesMax else {
            throw .tooLong(byteCount: text.utf8.count, bytesMax: CheckURL.bytesMax)
        }
        // Of an address in brackets the port is behind them.
        let host = text.lastIndex(of: "]").map { text.index(after: $0) } ?? text.startIndex
        guard text[host...].contains(":") else { throw .missingPort(address: text) }
        do throws(EndpointURLError) {
            self = try EndpointURL(parsing: "http://\(text)").place
        } catch {
            throw .malformed(url: text, reason: "\(error)")
        }
    }
}
