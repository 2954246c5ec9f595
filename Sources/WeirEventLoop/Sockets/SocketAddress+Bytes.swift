// SPDX-License-Identifier: Apache-2.0
// Numeric addresses from and to bytes on the stack: for header fields and the PROXY protocol. Nothing here allocates.

import Glibc

extension SocketAddress {
    /// The longest numeric address in bytes: IPv6 with an IPv4 tail.
    package static let numericBytesMax = 45

    /// Reads a numeric address without brackets, port or zone; nil if the bytes are anything else.
    ///
    /// As strict as `inet_pton`: IPv4 is four decimal numbers without leading zeros. IPv4-mapped IPv6 becomes IPv4.
    package init?(numeric bytes: Span<UInt8>, port: UInt16) {
        guard bytes.count > 0, bytes.count <= Self.numericBytesMax else { return nil }
        // One byte more than the longest text: there is always a zero behind it.
        var text = InlineArray<46, UInt8>(repeating: 0)
        var isIPv6 = false
        var index = 0
        while index < bytes.count {
            // A zero inside would end the C string early and hide what follows it.
            if bytes[index] == 0 { return nil }
            if bytes[index] == UInt8(ascii: ":") { isIPv6 = true }
            text[index] = bytes[index]
            index &+= 1
        }
        // Large enough for an in_addr and an in6_addr, the two that inet_pton writes.
        var address = in6_addr()
        let span = text.span
        let isRead = span.withUnsafeBytes { bytes in
            guard let text = bytes.baseAddress else { return false }
            return inet_pton(isIPv6 ? AF_INET6 : AF_INET, text.assumingMemoryBound(to: CChar.self), &address) == 1
        }
        guard isRead else { return nil }
        self = withUnsafeBytes(of: address) { bytes in
            guard isIPv6 else { return .ipv4(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)), port: port) }
            return SocketAddress.ipv6(
                UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                port: port
            ).unmapped
        }
    }

    /// IPv4 where this is IPv4-mapped IPv6 (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2), and itself where it is not.
    package var unmapped: SocketAddress {
        guard case .ipv6(0, let lower, let port) = self, lower >> 32 == 0xFFFF else { return self }
        return .ipv4(UInt32(truncatingIfNeeded: lower), port: port)
    }

    /// The same address with another port; a Unix address has none and stays as it is.
    package func withPort(_ port: UInt16) -> SocketAddress {
        switch self {
        case .ipv4(let value, _): .ipv4(value, port: port)
        case .ipv6(let upper, let lower, _): .ipv6(upper, lower, port: port)
        case .unix: self
        }
    }

    /// The text of `host` without a `String`; empty for a Unix address.
    package var numericText: NumericAddressText { NumericAddressText(self) }
}
