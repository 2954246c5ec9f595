// SPDX-License-Identifier: Apache-2.0
// The four forms of a request target (RFC 9112 section 3.2) and which methods may use them.

extension RequestParser {
    /// Splits the target in `start..<end`, whose first `?` (or end) is at `pathEnd`; its bytes are valid already.
    @inline(__always)
    mutating func parseTarget(
        _ bytes: Span<UInt8>,
        from start: Int,
        pathEnd: Int,
        to end: Int
    ) -> RequestFault? {
        if head.method == .connect { return parseAuthorityForm(bytes, from: start, to: end) }
        if bytes[start] == UInt8(ascii: "/") {
            head.path = ByteRange(start, pathEnd)
            return nil
        }
        if bytes[start] == UInt8(ascii: "*"), end == start &+ 1, head.method == .options {
            head.form = .asterisk
            return nil
        }
        return parseAbsoluteForm(bytes, from: start, pathEnd: pathEnd)
    }

    /// Host and port, both needed (RFC 9112 section 3.2.3).
    private mutating func parseAuthorityForm(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> RequestFault? {
        head.form = .authority
        head.authority = ByteRange(start, end)
        if bytes[start] == UInt8(ascii: "/") || bytes[start] == UInt8(ascii: "*") {
            return RequestFault(.targetFormInvalid, at: start)
        }
        let fault = Authority.firstFault(bytes, from: start, to: end, portRequired: true)
        return fault < 0 ? nil : RequestFault(.targetAuthorityInvalid, at: fault)
    }

    /// scheme `://` authority path. Userinfo is refused (RFC 9110 section 4.2.4), and so is an empty host (4.2.1).
    private mutating func parseAbsoluteForm(_ bytes: Span<UInt8>, from start: Int, pathEnd: Int) -> RequestFault? {
        var schemeEnd = start
        while schemeEnd < pathEnd, ByteClass.contains(ByteClass.hostName, bytes[schemeEnd]) { schemeEnd &+= 1 }
        let authorityStart = schemeEnd &+ 3
        guard schemeEnd > start, authorityStart <= pathEnd, bytes[schemeEnd] == ByteScan.colon,
            bytes[schemeEnd &+ 1] == UInt8(ascii: "/"), bytes[schemeEnd &+ 2] == UInt8(ascii: "/")
        else { return RequestFault(.targetFormInvalid, at: start) }

        let schemeCount = schemeEnd &- start
        if ByteScan.tokenMatches(bytes, start, schemeCount, "http") {
            head.scheme = .http
        } else if ByteScan.tokenMatches(bytes, start, schemeCount, "https") {
            head.scheme = .https
        } else {
            return RequestFault(.targetSchemeUnsupported, at: start)
        }

        var authorityEnd = authorityStart
        while authorityEnd < pathEnd, bytes[authorityEnd] != UInt8(ascii: "/") { authorityEnd &+= 1 }
        let fault = Authority.firstFault(bytes, from: authorityStart, to: authorityEnd)
        guard fault < 0 else { return RequestFault(.targetAuthorityInvalid, at: fault) }
        head.form = .absolute
        head.authority = ByteRange(authorityStart, authorityEnd)
        head.path = ByteRange(authorityEnd, pathEnd)
        return nil
    }
}
