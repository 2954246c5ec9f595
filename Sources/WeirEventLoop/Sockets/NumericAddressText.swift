// SPDX-License-Identifier: Apache-2.0
// The text of an address as a value on the stack.

import Glibc

/// `10.0.0.1`, `2001:db8::7`: a numeric address without brackets and port, or nothing for a Unix address.
package struct NumericAddressText: Sendable {
    private var text = InlineArray<46, UInt8>(repeating: 0)
    /// In bytes, at most `SocketAddress.numericBytesMax`.
    package private(set) var count = 0

    package init(_ address: SocketAddress) {
        switch address {
        case .ipv4(let value, _):
            var shift: UInt32 = 24
            while true {
                put(UInt8(truncatingIfNeeded: value >> shift))
                if shift == 0 { break }
                shift &-= 8
                put(byte: UInt8(ascii: "."))
            }
        case .ipv6(let upper, let lower, _):
            put(upper, lower)
        case .unix:
            break
        }
    }

    /// The bytes, for as long as the value is borrowed.
    package var span: Span<UInt8> {
        @_lifetime(borrow self)
        get { text.span.extracting(0..<count) }
    }

    private mutating func put(byte: UInt8) {
        text[count] = byte
        count &+= 1
    }

    private mutating func put(_ number: UInt8) {
        if number >= 100 { put(byte: UInt8(ascii: "0") + number / 100) }
        if number >= 10 { put(byte: UInt8(ascii: "0") + number / 10 % 10) }
        put(byte: UInt8(ascii: "0") + number % 10)
    }

    private mutating func put(_ upper: UInt64, _ lower: UInt64) {
        let address = (upper.bigEndian, lower.bigEndian)
        var span = text.mutableSpan
        withUnsafeBytes(of: address) { address in
            span.withUnsafeMutableBytes { bytes in
                guard let source = address.baseAddress, let text = bytes.baseAddress else { return }
                // 46 bytes are INET6_ADDRSTRLEN: the longest text and its zero.
                inet_ntop(AF_INET6, source, text.assumingMemoryBound(to: CChar.self), socklen_t(bytes.count))
            }
        }
        while text[count] != 0 { count &+= 1 }
    }
}
