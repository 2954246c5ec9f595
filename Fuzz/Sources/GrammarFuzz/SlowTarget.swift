// SPDX-License-Identifier: Apache-2.0
// The four forms of a request target (RFC 9112 section 3.2), read slowly by the rules of RFC 3986.

enum SlowTarget {
    static func isTarget(_ target: [UInt8], of method: [UInt8]) -> Bool {
        // Section 3.2.3: authority-form is CONNECT's, and CONNECT has no other. RFC 9110 section 9.3.6: with a port.
        if method == Array("CONNECT".utf8) {
            return isAuthority(target[...]) && target.last.map(isDigit) == true && hasPort(target)
        }
        // Section 3.2.4: asterisk-form is OPTIONS'.
        if target == [UInt8(ascii: "*")] { return method == Array("OPTIONS".utf8) }
        // Section 3.2.1: `origin-form = absolute-path [ "?" query ]`.
        if target.first == UInt8(ascii: "/") { return isPathAndQuery(target[...]) }
        // Section 3.2.2, for the schemes of RFC 9110 section 4.2: `"http" "://" authority path-abempty [ "?" query ]`.
        for scheme in ["http://", "https://"] where lowercase(target[...]).starts(with: scheme.utf8) {
            let rest = target.dropFirst(scheme.utf8.count)
            let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
            return isAuthority(rest[..<end]) && isPathAndQuery(rest[end...])
        }
        return false
    }

    /// RFC 3986 section 3.2 without userinfo, and not empty (RFC 9110 section 4.2): `host [ ":" port ]`.
    static func isAuthority(_ bytes: Bytes) -> Bool {
        if bytes.first == UInt8(ascii: "[") {
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]")) else { return false }
            let inside = bytes[bytes.startIndex..<close].dropFirst()
            // Difference: any of an IPv6 address's bytes, in any order.
            guard inside.allSatisfy({ isHexadecimal($0) || ":.".utf8.contains($0) }) else { return false }
            let rest = bytes[close...].dropFirst()
            return rest.isEmpty || rest.first == UInt8(ascii: ":") && rest.dropFirst().allSatisfy(isDigit)
        }
        let colon = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.endIndex
        let name = bytes[..<colon]
        return !name.isEmpty && bytes[colon...].dropFirst().allSatisfy(isDigit)
            && name.allSatisfy { isUnreserved($0) || isSubDelimiter($0) || $0 == UInt8(ascii: "%") }
    }

    /// Whether a colon stands behind the host, which may be an address in brackets.
    private static func hasPort(_ authority: [UInt8]) -> Bool {
        let host = authority.lastIndex(of: UInt8(ascii: "]")) ?? authority.startIndex
        return authority[host...].contains(UInt8(ascii: ":"))
    }

    /// The authority of a target that has one: CONNECT's whole, or that behind the scheme.
    static func authority(of target: [UInt8]) -> [UInt8]? {
        for scheme in ["http://", "https://"] where lowercase(target[...]).starts(with: scheme.utf8) {
            return Array(target.dropFirst(scheme.utf8.count).prefix { !"/?".utf8.contains($0) })
        }
        return target.first == UInt8(ascii: "/") || target == [UInt8(ascii: "*")] ? nil : target
    }

    /// Whether a resolver and a socket could know it: letters, digits and `-._~` or an address in brackets, and a port of
    /// at most five digits up to 65535.
    static func isPlainAuthority(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        if rest.first == UInt8(ascii: "[") {
            let address = rest.dropFirst().prefix { isHexadecimal($0) || ":.".utf8.contains($0) }
            rest = bytes[address.endIndex...]
            guard address.count >= 2, rest.popFirst() == UInt8(ascii: "]") else { return false }
        } else {
            let name = rest.prefix { isUnreserved($0) }
            if name.isEmpty { return false }
            rest = bytes[name.endIndex...]
        }
        if rest.isEmpty { return true }
        guard rest.popFirst() == UInt8(ascii: ":") else { return false }
        if rest.isEmpty { return true }
        return rest.count <= 5 && (number(rest).map { $0 <= 65_535 } ?? false)
    }

    /// RFC 3986 sections 3.3 and 3.4: pchar, `/`, and behind the first `?` that as well.
    private static func isPathAndQuery(_ bytes: Bytes) -> Bool {
        let mark = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.endIndex
        let query = bytes[mark...].dropFirst()
        return bytes[..<mark].allSatisfy { isPathByte($0) }
            && query.allSatisfy { isPathByte($0) || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "\\") }
    }

    private static func isPathByte(_ byte: UInt8) -> Bool {
        isUnreserved(byte) || isSubDelimiter(byte) || ":@/%".utf8.contains(byte)
            // Difference: what browsers send as it is, a `%` without two digits, and a backslash in the query.
            || "\"<>[]^`{|}".utf8.contains(byte)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte) || "-._~".utf8.contains(byte)
    }

    private static func isSubDelimiter(_ byte: UInt8) -> Bool { "!$&'()*+,;=".utf8.contains(byte) }
}
