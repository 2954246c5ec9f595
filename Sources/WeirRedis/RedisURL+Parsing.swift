// SPDX-License-Identifier: Apache-2.0
// Reads WEIR_REDIS. Strict: what is not understood is refused, and nothing is dropped.

import WeirEventLoop

extension RedisURL {
    package init(parsing text: String) throws(RedisURLError) {
        let shown = RedisURLError.redacted(text)
        if text.hasPrefix("unix:") {
            self.init(place: try Self.unix(text.dropFirst(5), shown), credentials: nil, database: 0)
            return
        }
        guard let separator = text.firstRange(of: "://") else { throw .unknownScheme(url: shown) }
        switch text[..<separator.lowerBound].lowercased() {
        case "redis": break
        case "rediss": throw .tlsUnsupported(url: shown)
        default: throw .unknownScheme(url: shown)
        }
        let rest = text[separator.upperBound...]
        // The authority ends at the first of these (RFC 3986 section 3.2). An "@" behind it is a password's that was not
        // encoded; nothing of such a text may be taken for a host or a port, because an error would show it.
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        guard !rest[end...].contains("@") else { throw .unescapedCredentials(url: shown) }
        let authority = rest[..<end]
        let at = authority.lastIndex(of: "@")
        let host = at.map { authority[authority.index(after: $0)...] } ?? authority
        self.init(
            place: try Self.place(host, shown),
            credentials: try at.map { at throws(RedisURLError) in try Self.credentials(authority[..<at], shown) },
            database: try Self.database(rest[end...], shown)
        )
    }

    /// `[user] ":" password`, each percent-encoded.
    private static func credentials(_ text: Substring, _ shown: String) throws(RedisURLError) -> Credentials {
        guard let colon = text.firstIndex(of: ":") else { throw .missingPassword(url: shown) }
        let parts = [text[..<colon], text[text.index(after: colon)...]].map(decoded)
        guard let user = parts[0], let password = parts[1] else { throw .unescapedCredentials(url: shown) }
        guard !password.isEmpty else { throw .missingPassword(url: shown) }
        return Credentials(user: user.isEmpty ? nil : user, password: password)
    }

    /// Percent-decoded (RFC 3986 section 2.1); nil where a character stands that has to be encoded.
    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            case 0...UInt8(ascii: " "), UInt8(ascii: "@"), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"), 127:
                return nil
            default:
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        UInt8(String(UnicodeScalar(byte)), radix: 16)
    }

    /// `host [":" port]`
    private static func place(_ authority: Substring, _ shown: String) throws(RedisURLError) -> Place {
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else { throw .invalidHost(url: shown) }
            let port = try port(authority[authority.index(after: close)...], shown)
            let host = authority.dropFirst().prefix { $0 != "]" }
            guard host.contains(":"), let address = SocketAddress(host: String(host), port: port) else {
                throw .invalidHost(url: shown)
            }
            return .address(address)
        }
        let host = authority.prefix { $0 != ":" }
        // A second colon is an IPv6 address without its brackets.
        guard !authority[host.endIndex...].dropFirst().contains(":") else { throw .invalidHost(url: shown) }
        let port = try port(authority[host.endIndex...], shown)
        if let address = SocketAddress(host: String(host), port: port) { return .address(address) }
        guard !host.isEmpty, host.utf8.count <= nameBytesMax, host.utf8.allSatisfy(isNameByte) else {
            throw .invalidHost(url: shown)
        }
        return .name(host.lowercased(), port: port)
    }

    /// What a name in DNS is made of; whether there is one, the resolver says.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
        default: false
        }
    }

    /// Nothing, or a colon and a number.
    private static func port(_ text: Substring, _ shown: String) throws(RedisURLError) -> UInt16 {
        if text.isEmpty { return portDefault }
        guard text.hasPrefix(":"), let number = decimal(text.dropFirst(), max: 65_535), number > 0 else {
            throw .invalidPort(url: shown)
        }
        return UInt16(number)
    }

    /// Nothing, a slash, or a slash and a number.
    private static func database(_ path: Substring, _ shown: String) throws(RedisURLError) -> Int {
        guard !path.contains(where: { "?#".contains($0) }) else { throw .hasQuery(url: shown) }
        if path.isEmpty || path == "/" { return 0 }
        guard let number = decimal(path.dropFirst(), max: databaseMax) else { throw .invalidDatabase(url: shown) }
        return number
    }

    private static func decimal(_ digits: Substring, max: Int) -> Int? {
        guard !digits.isEmpty, digits.utf8.count <= 5, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int(digits), number <= max
        else { return nil }
        return number
    }

    private static func unix(_ path: Substring, _ shown: String) throws(RedisURLError) -> Place {
        guard path.hasPrefix("/"), (2...unixPathBytesMax).contains(path.utf8.count), !path.utf8.contains(0) else {
            throw .invalidPath(url: shown)
        }
        return .address(.unix(path: String(path)))
    }
}
