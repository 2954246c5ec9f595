// SPDX-License-Identifier: Apache-2.0
// One hop as X-Forwarded-For and Forwarded name it. Says what the text looks like; whether it is an address, and whose,
// is for those who know addresses.

/// Who a proxy says that it was asked by (RFC 7239 section 6). Ranges count from where the field's value was found.
package enum ForwardedNode: Equatable, Sendable {
    /// What looks like a numeric address, without brackets; not yet read as one.
    case address(ByteRange, port: UInt16?)
    /// The proxy does not know: `unknown` (RFC 7239 section 6.2).
    case unknown
    /// The proxy does not say: `_hidden`, an identifier of its own (RFC 7239 section 6.3).
    case obfuscated(ByteRange)
    /// Nothing of the kind.
    case invalid(ByteRange)

    /// Reads `192.0.2.43`, `192.0.2.43:4711`, `[2001:db8::1]`, `[2001:db8::1]:4711`, `unknown` or `_name`, in
    /// `start..<end`. A port may be an obfuscated one, which says nothing.
    ///
    /// With `bareIPv6`, as X-Forwarded-For writes it, `2001:db8::1` too: two colons make an address without a port.
    static func parse(_ bytes: Span<UInt8>, from start: Int, to end: Int, bareIPv6: Bool) -> ForwardedNode {
        let whole = ByteRange(start, end)
        guard start < end else { return .invalid(whole) }
        if bytes[start] == UInt8(ascii: "[") {
            var close = start &+ 1
            while close < end, ByteClass.contains(ByteClass.addressLiteral, bytes[close]) { close &+= 1 }
            guard close < end, bytes[close] == UInt8(ascii: "]"), close > start &+ 1 else { return .invalid(whole) }
            let address = ByteRange(start &+ 1, close)
            return withPort(bytes, from: close &+ 1, to: end) { .address(address, port: $0) } ?? .invalid(whole)
        }

        var firstColon = end
        var colonCount = 0
        var index = start
        while index < end {
            if bytes[index] == ByteScan.colon {
                if colonCount == 0 { firstColon = index }
                colonCount &+= 1
            }
            index &+= 1
        }
        if colonCount > 1 {
            guard bareIPv6, isOnly(ByteClass.addressLiteral, bytes, start, end) else { return .invalid(whole) }
            return .address(whole, port: nil)
        }
        let name = ByteRange(start, firstColon)
        if isObfuscated(bytes, name) {
            return withPort(bytes, from: firstColon, to: end) { _ in .obfuscated(name) } ?? .invalid(whole)
        }
        if isUnknown(bytes, name) {
            return withPort(bytes, from: firstColon, to: end) { _ in .unknown } ?? .invalid(whole)
        }
        // Digits and dots; an IPv6 address has at least two colons.
        guard !name.isEmpty, isDotted(bytes, name) else { return .invalid(whole) }
        return withPort(bytes, from: firstColon, to: end) { .address(name, port: $0) } ?? .invalid(whole)
    }

    /// What `make` makes of the port in `start..<end`, which is empty or `:4711` or `:_name`; nil if it is neither.
    private static func withPort(
        _ bytes: Span<UInt8>,
        from start: Int,
        to end: Int,
        _ make: (UInt16?) -> ForwardedNode
    ) -> ForwardedNode? {
        if start == end { return make(nil) }
        guard bytes[start] == ByteScan.colon, start &+ 1 < end else { return nil }
        if isObfuscated(bytes, ByteRange(start &+ 1, end)) { return make(nil) }
        guard end &- start <= 6 else { return nil }
        var port = 0
        var index = start &+ 1
        while index < end {
            guard ByteClass.contains(ByteClass.digit, bytes[index]) else { return nil }
            port = port &* 10 &+ Int(bytes[index] &- UInt8(ascii: "0"))
            index &+= 1
        }
        return UInt16(exactly: port).flatMap { make($0) }
    }

    /// `"_" 1*( ALPHA / DIGIT / "." / "_" / "-")`
    private static func isObfuscated(_ bytes: Span<UInt8>, _ range: ByteRange) -> Bool {
        guard range.count > 1, bytes[Int(range.start)] == UInt8(ascii: "_") else { return false }
        var index = Int(range.start)
        while index < range.end {
            // Host names have one character more.
            guard ByteClass.contains(ByteClass.hostName, bytes[index]), bytes[index] != UInt8(ascii: "~") else {
                return false
            }
            index &+= 1
        }
        return true
    }

    private static func isUnknown(_ bytes: Span<UInt8>, _ range: ByteRange) -> Bool {
        // Letters match in any case, and no other byte that differs by bit 5 is a token's.
        range.count == 7 && isOnly(ByteClass.token, bytes, Int(range.start), range.end)
            && ByteScan.tokenMatches(bytes, Int(range.start), 7, "unknown")
    }

    private static func isDotted(_ bytes: Span<UInt8>, _ range: ByteRange) -> Bool {
        var index = Int(range.start)
        while index < range.end {
            guard ByteClass.contains(ByteClass.digit, bytes[index]) || bytes[index] == UInt8(ascii: ".") else {
                return false
            }
            index &+= 1
        }
        return true
    }

    private static func isOnly(_ rule: UInt8, _ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
        var index = start
        while index < end {
            if !ByteClass.contains(rule, bytes[index]) { return false }
            index &+= 1
        }
        return true
    }
}
