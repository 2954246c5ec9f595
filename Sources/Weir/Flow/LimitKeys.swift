// SPDX-License-Identifier: Apache-2.0
// What limits count by, as a request says it. On the loop's thread.

import WeirEventLoop
import WeirFlow
import WeirHTTP

extension PeerAddress {
    /// What a limit by client counts by: an IPv4 address, or the first 64 bits of an IPv6 address, which are one
    /// client's (RFC 6177); all clients of Unix sockets are one.
    var limitKey: UInt64 {
        switch socketAddress {
        case .ipv4(let value, _): UInt64(value)
        // No global IPv6 address begins with 32 zero bits, so none is taken for an IPv4 address.
        case .ipv6(let upper, _, _): upper
        case .unix: .max
        }
    }

    /// The same as every replica writes it: `10.0.0.1`, 16 hexadecimal digits, or `unix`.
    func limitKeyText(in scratch: UnsafeMutableRawBufferPointer) -> UnsafeRawBufferPointer {
        var writer = HeadWriter(scratch)
        switch socketAddress {
        case .ipv4(let value, _):
            for shift: UInt32 in [24, 16, 8, 0] {
                if shift < 24 { writer.raw(".") }
                writer.decimal(UInt64(value >> shift & 0xFF))
            }
        case .ipv6(let upper, _, _): writer.fixedHexadecimal(upper)
        case .unix: writer.raw("unix")
        }
        return UnsafeRawBufferPointer(rebasing: scratch[..<writer.count])
    }
}

extension Exchange {
    /// A host is at most as long as DNS allows; what is beyond is told apart by its first bytes alone.
    static let hostBytesMax = 256

    /// The host that is asked, in lower case and without its port.
    func lowercaseHost(in scratch: UnsafeMutableRawBufferPointer) -> UnsafeRawBufferPointer {
        let host = authorityBytes
        let count = min(host.count, scratch.count)
        for place in 0..<count {
            let byte = host[place]
            scratch[place] = byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
        }
        return UnsafeRawBufferPointer(rebasing: scratch[..<count])
    }

    /// The host that is asked, as it was sent, without its port.
    private var authorityBytes: UnsafeRawBufferPointer {
        let whole = bytes(parser.pointee.head.authority)
        var end = whole.count
        while end > 0, whole[end - 1] >= 0x30, whole[end - 1] <= 0x39 { end -= 1 }
        let hasPort = end > 0 && end < whole.count && whole[end - 1] == UInt8(ascii: ":")
        return hasPort ? UnsafeRawBufferPointer(rebasing: whole[..<(end - 1)]) : whole
    }

    /// The value of the first field of this name.
    func fieldValue(lowercaseName name: [UInt8]) -> UnsafeRawBufferPointer? {
        field(lowercaseName: name).map { bytes($0.value) }
    }

    /// The value of the first field of this name, if fields of that name are passed on.
    func forwardedFieldValue(lowercaseName name: [UInt8]) -> UnsafeRawBufferPointer? {
        guard let field = self.field(lowercaseName: name),
            // The head is the exchange's own copy.
            !parser.pointee.fields.isForThisHop(field, in: Span<UInt8>(_unsafeBytes: wholeHead))
        else { return nil }
        return bytes(field.value)
    }

    private func field(lowercaseName name: [UInt8]) -> HeaderField? {
        for index in 0..<parser.pointee.fieldCount {
            let field = parser.pointee.field(index)
            if Int(field.name.count) == name.count, Self.isSame(bytes(field.name), name) { return field }
        }
        return nil
    }

    private static func isSame(_ bytes: UnsafeRawBufferPointer, _ name: [UInt8]) -> Bool {
        for index in 0..<name.count {
            let byte = bytes[index]
            guard (byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte) == name[index] else { return false }
        }
        return true
    }
}
