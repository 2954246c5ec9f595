// SPDX-License-Identifier: Apache-2.0
// host[:port], as in Host, in an absolute-form target and in CONNECT (RFC 3986 section 3.2, RFC 9110 section 7.2).

/// The syntax of an authority without userinfo.
///
/// Narrower than RFC 3986 on purpose: a name is letters, digits and `-._~`. Percent-encoded bytes and sub-delimiters
/// (a comma, say) name no host that DNS knows, and readers differ about them. Of literals only IPv6 is known.
enum Authority {
    private static let openBracket = UInt8(ascii: "[")
    private static let closeBracket = UInt8(ascii: "]")

    /// The offset of the first byte in `start..<end` that is wrong (`end` if something is missing), or -1.
    ///
    /// The host may not be empty; the port may, unless it is required.
    static func firstFault(
        _ bytes: Span<UInt8>,
        from start: Int,
        to end: Int,
        portRequired: Bool = false
    ) -> Int {
        var index = start
        if index < end, bytes[index] == openBracket {
            index &+= 1
            while index < end, ByteClass.contains(ByteClass.addressLiteral, bytes[index]) { index &+= 1 }
            guard index < end, index >= start &+ 3, bytes[index] == closeBracket else { return index }
            index &+= 1
        } else {
            while index < end, ByteClass.contains(ByteClass.hostName, bytes[index]) { index &+= 1 }
            if index == start { return index }
        }
        if index == end { return portRequired ? end : -1 }
        guard bytes[index] == ByteScan.colon else { return index }
        return portFault(bytes, from: index &+ 1, to: end, required: portRequired)
    }

    private static func portFault(_ bytes: Span<UInt8>, from start: Int, to end: Int, required: Bool) -> Int {
        if start == end { return required ? end : -1 }
        var port = 0
        var index = start
        while index < end {
            let byte = bytes[index]
            guard ByteClass.contains(ByteClass.digit, byte), index &- start < 5 else { return index }
            port = port &* 10 &+ Int(byte &- UInt8(ascii: "0"))
            index &+= 1
        }
        return port <= 65_535 ? -1 : start
    }
}
