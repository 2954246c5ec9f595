// SPDX-License-Identifier: Apache-2.0
// A block of addresses as settings write it (RFC 4632, RFC 4291 section 2.3). Pure value; asking it allocates nothing.

/// `10.0.0.0/8`, `fd00::/8`, or one address: `192.168.1.7`, `::1`.
///
/// IPv4-mapped IPv6 is IPv4: `::ffff:10.0.0.0/104` is `10.0.0.0/8`, and no IPv6 block contains an IPv4 address, not
/// even `::/0`.
package struct AddressBlock: Sendable, Equatable, CustomStringConvertible {
    private let network: Network

    private enum Network: Sendable, Equatable {
        case ipv4(UInt32, prefixLength: Int)
        case ipv6(UInt64, UInt64, prefixLength: Int)
    }

    /// Reads a block; nil if the text is none.
    package init?(_ text: String) {
        do throws(AddressBlockError) { try self.init(parsing: text) } catch { return nil }
    }

    /// Reads a block. Bits behind the prefix must be zero: `10.0.0.5/8` may mean one address or sixteen million, and
    /// who is trusted must not hang on a guess.
    package init(parsing text: String) throws(AddressBlockError) {
        let slash = text.utf8.firstIndex(of: UInt8(ascii: "/"))
        let address = slash.map { String(text[..<$0]) } ?? text
        guard let read = SocketAddress(numeric: address.utf8.span, port: 0) else {
            throw .noAddress(text: text)
        }
        let isMapped = read.family == SocketAddress.ipv4(0, port: 0).family && address.utf8.contains(UInt8(ascii: ":"))
        let bitsMax = if case .ipv4 = read, !isMapped { 32 } else { 128 }
        var prefixLength = bitsMax
        if let slash {
            let digits = text[text.utf8.index(after: slash)...]
            guard let number = Self.decimal(digits), number <= bitsMax else {
                throw .badPrefix(text: text, bitsMax: bitsMax)
            }
            prefixLength = number
        }
        try self.init(read, isMapped: isMapped, prefixLength: prefixLength, text: text)
    }

    private init(
        _ address: SocketAddress,
        isMapped: Bool,
        prefixLength: Int,
        text: String
    ) throws(AddressBlockError) {
        switch address {
        case .ipv4(let value, _):
            // A prefix shorter than the 96 bits of ::ffff: cuts into its ones, which then stand behind it.
            let length = isMapped ? prefixLength - 96 : prefixLength
            let masked = length < 0 ? 0 : value & Self.mask(length)
            guard length >= 0, masked == value else {
                let nearest = length < 0 ? nil : Network.ipv4(masked, prefixLength: length)
                throw .hostBits(text: text, block: nearest.map { Self($0).description })
            }
            network = .ipv4(value, prefixLength: length)
        case .ipv6(let upper, let lower, _):
            let (upperMask, lowerMask) = Self.masks(prefixLength)
            guard upper & upperMask == upper, lower & lowerMask == lower else {
                let nearest = Network.ipv6(upper & upperMask, lower & lowerMask, prefixLength: prefixLength)
                throw .hostBits(text: text, block: Self(nearest).description)
            }
            network = .ipv6(upper, lower, prefixLength: prefixLength)
        case .unix:
            throw .noAddress(text: text)
        }
    }

    private init(_ network: Network) {
        self.network = network
    }

    /// Whether the address, whatever its port, is in the block. A Unix address is in none.
    package func contains(_ address: SocketAddress) -> Bool {
        switch (network, address.unmapped) {
        case (.ipv4(let network, let length), .ipv4(let value, _)):
            return value & Self.mask(length) == network
        case (.ipv6(let networkUpper, let networkLower, let length), .ipv6(let upper, let lower, _)):
            let (upperMask, lowerMask) = Self.masks(length)
            return upper & upperMask == networkUpper && lower & lowerMask == networkLower
        default:
            return false
        }
    }

    /// The text that reads as this block: without a prefix where it is one address.
    package var description: String {
        switch network {
        case .ipv4(let value, 32): SocketAddress.ipv4(value, port: 0).host
        case .ipv4(let value, let length): "\(SocketAddress.ipv4(value, port: 0).host)/\(length)"
        case .ipv6(let upper, let lower, 128): SocketAddress.ipv6(upper, lower, port: 0).host
        case .ipv6(let upper, let lower, let length): "\(SocketAddress.ipv6(upper, lower, port: 0).host)/\(length)"
        }
    }

    // Swift's smart shifts give 0 where the width or more is shifted, so the lengths 0 and 64 need no case.

    private static func mask(_ length: Int) -> UInt32 { UInt32.max << (32 - length) }

    private static func masks(_ length: Int) -> (upper: UInt64, lower: UInt64) {
        (UInt64.max << max(64 - length, 0), UInt64.max << (128 - max(length, 64)))
    }

    /// One to three digits without a leading zero.
    private static func decimal(_ digits: Substring) -> Int? {
        let bytes = digits.utf8
        guard let first = bytes.first, bytes.count <= 3, bytes.allSatisfy({ (0x30...0x39).contains($0) }),
            first != UInt8(ascii: "0") || bytes.count == 1
        else { return nil }
        return bytes.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }
}
