// SPDX-License-Identifier: Apache-2.0
// Reads endpoints. Strict: what is not understood is refused with the place that it is in, and nothing is dropped.

import WeirEventLoop

extension EndpointURL {
    /// Reads one endpoint with its options.
    package init(parsing text: String) throws(EndpointURLError) {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false)
        let url = parts.first ?? ""
        var weight: Int?
        for option in parts.dropFirst() {
            guard let equals = option.firstIndex(of: "="), option[..<equals] == "weight" else {
                throw .unknownOption(url: text, option: String(option))
            }
            guard weight == nil else { throw .repeatedOption(url: text, option: "weight") }
            let value = option[option.index(after: equals)...]
            guard let number = Self.decimal(value), (1...Self.weightMax).contains(number) else {
                throw .invalidWeight(url: text, weight: String(value))
            }
            weight = number
        }
        let (scheme, place) = try Self.place(String(url), in: text)
        self.init(scheme: scheme, place: place, weight: weight ?? Self.weightDefault)
    }

    /// Reads a list with commas; blanks around endpoints are ignored. Nothing may be listed twice, whatever its weight.
    package static func list(_ text: String) throws(EndpointURLError) -> [EndpointURL] {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count <= endpointsMax else { throw .tooMany(count: parts.count, countMax: endpointsMax) }
        // First of all and for the whole list, because a password may have a comma: the reason of another fault would
        // show its half.
        if parts.contains(where: { $0.contains("@") && !$0.drop { $0 == " " }.hasPrefix("unix:") }) {
            throw .hasUserInfo(url: text)
        }
        var endpoints: [EndpointURL] = []
        for (index, part) in parts.enumerated() {
            var url = part.drop { $0 == " " }
            while url.last == " " { url.removeLast() }
            guard !url.isEmpty else { throw .empty(position: index + 1) }
            let endpoint = try EndpointURL(parsing: String(url))
            guard !endpoints.contains(where: { $0.place == endpoint.place }) else { throw .duplicate(url: String(url)) }
            endpoints.append(endpoint)
        }
        return endpoints
    }

    private static func place(_ url: String, in text: String) throws(EndpointURLError) -> (Scheme, Place) {
        guard !url.isEmpty else { throw .missingScheme(url: text) }
        if url.hasPrefix("unix:") { return (.http, try unix(String(url.dropFirst(5)), in: text)) }
        guard let separator = url.firstRange(of: "://") else { throw .missingScheme(url: text) }
        guard let scheme = Scheme(rawValue: url[..<separator.lowerBound].lowercased()) else {
            throw .unknownScheme(url: text, scheme: String(url[..<separator.lowerBound]))
        }
        let rest = url[separator.upperBound...]
        // The authority ends at the first of these (RFC 3986 section 3.2); an "@" before it ends a user's name.
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        if rest[..<end].contains("@") { throw .hasUserInfo(url: text) }
        if end < rest.endIndex {
            switch rest[end] {
            case "/": throw .hasPath(url: text, path: String(rest[end...]))
            case "?": throw .hasQuery(url: text)
            default: throw .hasFragment(url: text)
            }
        }
        return (scheme, try authority(rest[..<end], scheme.portDefault, in: text))
    }

    private static func unix(_ path: String, in text: String) throws(EndpointURLError) -> Place {
        guard path.hasPrefix("/"), path.utf8.count > 1, !path.utf8.contains(0) else {
            throw .invalidPath(url: text, path: path)
        }
        guard path.utf8.count <= unixPathBytesMax else {
            throw .pathTooLong(url: text, byteCount: path.utf8.count, bytesMax: unixPathBytesMax)
        }
        return .address(.unix(path: path))
    }

    /// Whether `host [":" port]` has a port: the colons of an IPv6 address begin none.
    package static func hasPort(_ authority: some StringProtocol) -> Bool {
        authority[(authority.lastIndex(of: "]") ?? authority.startIndex)...].contains(":")
    }

    /// `host [":" port]`
    private static func authority(
        _ authority: Substring,
        _ portDefault: UInt16,
        in text: String
    ) throws(EndpointURLError) -> Place {
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else {
                throw .invalidHost(url: text, host: String(authority))
            }
            let port = try port(authority[authority.index(after: close)...], portDefault, in: text)
            let host = authority[authority.index(after: authority.startIndex)..<close]
            guard host.contains(":"), let address = SocketAddress(numeric: String(host).utf8.span, port: port) else {
                throw .invalidHost(url: text, host: String(authority[...close]))
            }
            return .address(address)
        }
        let colon = authority.firstIndex(of: ":") ?? authority.endIndex
        let host = String(authority[..<colon])
        // A second colon is an IPv6 address without its brackets.
        if authority[colon...].dropFirst().contains(":") { throw .invalidHost(url: text, host: String(authority)) }
        guard !host.isEmpty else { throw .emptyHost(url: text) }
        let port = try port(authority[colon...], portDefault, in: text)
        if let address = SocketAddress(numeric: host.utf8.span, port: port) { return .address(address) }
        guard isName(host) else { throw .invalidHost(url: text, host: host) }
        return .name(host.lowercased(), port: port)
    }

    /// Nothing, or a colon and a number.
    private static func port(
        _ text: Substring,
        _ portDefault: UInt16,
        in url: String
    ) throws(EndpointURLError) -> UInt16 {
        if text.isEmpty { return portDefault }
        guard text.hasPrefix(":"), let number = decimal(text.dropFirst()), let port = UInt16(exactly: number), port > 0
        else { throw .invalidPort(url: url, port: String(text.hasPrefix(":") ? text.dropFirst() : text)) }
        return port
    }

    /// Whether the host is a name that DNS can know. Its last label may not be a number: what looks like an IPv4
    /// address is one, or a mistake.
    private static func isName(_ host: String) -> Bool {
        let name = host.hasSuffix(".") ? host.dropLast() : host[...]
        guard !name.isEmpty, name.utf8.count <= nameBytesMax else { return false }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        for label in labels {
            guard !label.isEmpty, label.utf8.count <= labelBytesMax, !label.hasPrefix("-"), !label.hasSuffix("-"),
                label.utf8.allSatisfy(isNameByte)
            else { return false }
        }
        return labels.last.map { label in !label.utf8.allSatisfy { (0x30...0x39).contains($0) } } ?? false
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    /// One to five digits without a sign or a leading zero.
    private static func decimal(_ digits: Substring) -> Int? {
        let bytes = digits.utf8
        guard let first = bytes.first, first != UInt8(ascii: "0"), bytes.count <= 5,
            bytes.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return bytes.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }
}
