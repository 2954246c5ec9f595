// SPDX-License-Identifier: Apache-2.0
// One element of a Forwarded field, written (RFC 7239 section 4).

extension HeadWriter {
    /// Writes `for=192.0.2.43;proto=http;host=example.com`, each value in quotes where the grammar wants them:
    /// `for="[2001:db8::1]:4711"`.
    ///
    /// - Parameters:
    ///   - address: A numeric address without brackets; empty writes `unknown`.
    ///   - port: The client's port; nil leaves it out.
    ///   - proto: The request's scheme, a token.
    ///   - host: The request's Host as it came; empty leaves it out.
    /// - Returns: False, with nothing written, if a byte could end the line, or the address holds anything but digits,
    ///   letters, colons and dots.
    @discardableResult
    package mutating func forwardedElement(
        address: Span<UInt8>,
        port: UInt16?,
        proto: StaticString,
        host: Span<UInt8>
    ) -> Bool {
        guard FieldSyntax.isFieldValue(host) else { return false }
        var isIPv6 = false
        var index = 0
        while index < address.count {
            guard ByteClass.contains(ByteClass.addressLiteral, address[index]) else { return false }
            if address[index] == ByteScan.colon { isIPv6 = true }
            index &+= 1
        }
        raw("for=")
        if address.count == 0 {
            raw("unknown")
        } else {
            node(address, isIPv6: isIPv6, port: port)
        }
        raw(";proto=")
        raw(proto)
        if host.count > 0 {
            raw(";host=")
            tokenOrQuotedString(host)
        }
        return true
    }

    /// Brackets and the colon before a port are no token's, so such a node stands in quotes (section 6).
    private mutating func node(_ address: Span<UInt8>, isIPv6: Bool, port: UInt16?) {
        let isQuoted = isIPv6 || port != nil
        if isQuoted { raw("\"") }
        if isIPv6 { raw("[") }
        raw(address)
        if isIPv6 { raw("]") }
        if let port {
            raw(":")
            decimal(UInt64(port))
        }
        if isQuoted { raw("\"") }
    }

    /// The value as a token if it is one, else as a quoted string with quotes and backslashes escaped (RFC 9110 section
    /// 5.6.4).
    private mutating func tokenOrQuotedString(_ value: Span<UInt8>) {
        if FieldSyntax.isToken(value) { return raw(value) }
        raw("\"")
        var written = 0
        var index = 0
        while index < value.count {
            if value[index] == UInt8(ascii: "\"") || value[index] == UInt8(ascii: "\\") {
                raw(value.extracting(written..<index))
                raw("\\")
                written = index
            }
            index &+= 1
        }
        raw(value.extracting(written..<value.count))
        raw("\"")
    }
}
