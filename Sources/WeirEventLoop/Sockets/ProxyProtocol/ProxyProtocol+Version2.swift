// SPDX-License-Identifier: Apache-2.0
// Version 2: a binary header with addresses and extensions (section 2.2).

extension ProxyProtocol {
    /// Signature, version and command, family and transport, length.
    static let fixedByteCount = 16
    /// The two values that the 13th byte may have.
    static let localCommand: UInt8 = 0x20
    static let proxyCommand: UInt8 = 0x21
    /// Family and transport: TCP over IPv4 and over IPv6.
    static let tcp4: UInt8 = 0x11
    static let tcp6: UInt8 = 0x21

    private static let unixPathBytes = 108
    /// Type and length in front of an extension's value.
    private static let extensionHeadBytes = 3
    private static let checksumType: UInt8 = 0x03

    private enum Family: UInt8 {
        case unspecified = 0
        case ipv4 = 1
        case ipv6 = 2
        case unix = 3

        /// Both addresses with their ports.
        var byteCount: Int {
            switch self {
            case .unspecified: 0
            case .ipv4: 12
            case .ipv6: 36
            case .unix: 2 * unixPathBytes
            }
        }
    }

    /// Reads the header that begins with `signature`.
    static func readVersion2(_ bytes: Span<UInt8>) -> Outcome {
        guard bytes.count > 12 else { return .incomplete }
        let command = bytes[12]
        guard command >> 4 == 2 else { return .invalid(.versionUnsupported) }
        guard command == localCommand || command == proxyCommand else { return .invalid(.commandUnknown) }

        // A LOCAL header's family is to be ignored, and what follows it to be skipped.
        var family = Family.unspecified
        if command == proxyCommand {
            guard bytes.count > 13 else { return .incomplete }
            let transport = bytes[13] & 0x0F
            // Values beyond those defined "must be rejected"; an unspecified family or transport says no address.
            guard let named = Family(rawValue: bytes[13] >> 4), transport <= 2 else { return .invalid(.familyUnknown) }
            if transport != 0 { family = named }
        }

        guard bytes.count >= fixedByteCount else { return .incomplete }
        let byteCount = fixedByteCount &+ Int(number(bytes, at: 14, as: UInt16.self))
        guard byteCount <= headerBytesMax else { return .invalid(.headerTooLarge) }
        guard byteCount >= fixedByteCount &+ family.byteCount else { return .invalid(.addressesTruncated) }
        guard bytes.count >= byteCount else { return .incomplete }

        let header = bytes.extracting(0..<byteCount)
        // Without a family nobody can say where addresses end and extensions begin, and nothing of them is used.
        if family != .unspecified, let fault = extensionFault(header, from: fixedByteCount &+ family.byteCount) {
            return .invalid(fault)
        }
        return .complete(
            ProxyHeader(byteCount: byteCount, origin: command == localCommand ? .local : origin(header, family))
        )
    }

    private static func origin(_ header: Span<UInt8>, _ family: Family) -> ProxyHeader.Origin {
        let source = fixedByteCount
        switch family {
        case .unspecified:
            return .unknown
        case .ipv4:
            return .proxied(
                source: .ipv4(number(header, at: source), port: number(header, at: source &+ 8)),
                destination: .ipv4(number(header, at: source &+ 4), port: number(header, at: source &+ 10))
            )
        case .ipv6:
            let destination = source &+ 16
            return .proxied(
                source: SocketAddress.ipv6(
                    number(header, at: source),
                    number(header, at: source &+ 8),
                    port: number(header, at: source &+ 32)
                ).unmapped,
                destination: SocketAddress.ipv6(
                    number(header, at: destination),
                    number(header, at: destination &+ 8),
                    port: number(header, at: source &+ 34)
                ).unmapped
            )
        case .unix:
            return .proxied(
                source: .unix(path: unixPath(header, at: source)),
                destination: .unix(path: unixPath(header, at: source &+ unixPathBytes))
            )
        }
    }

    /// The path up to its zero; empty for a socket without a name and for one in the abstract namespace.
    private static func unixPath(_ header: Span<UInt8>, at start: Int) -> String {
        var path: [UInt8] = []
        var index = start
        while index < start &+ unixPathBytes, header[index] != 0 {
            path.append(header[index])
            index &+= 1
        }
        return String(decoding: path, as: UTF8.self)
    }

    /// Whether something is wrong with the extensions, which fill the header's rest: each has a type, a length and a
    /// value (section 2.2). Only the checksum is looked into (section 2.2.3).
    private static func extensionFault(_ header: Span<UInt8>, from start: Int) -> ProxyFault? {
        var checksumAt: Int?
        var index = start
        while index < header.count {
            guard header.count &- index >= extensionHeadBytes else { return .extensionMalformed }
            let valueStart = index &+ extensionHeadBytes
            let length = Int(number(header, at: index &+ 1, as: UInt16.self))
            guard length <= header.count &- valueStart else { return .extensionMalformed }
            if header[index] == checksumType {
                // Of two checksums each would have to leave the other out.
                guard length == 4, checksumAt == nil else { return .extensionMalformed }
                checksumAt = valueStart
            }
            index = valueStart &+ length
        }
        guard let checksumAt else { return nil }
        var checksum = CRC32C()
        index = 0
        while index < header.count {
            // The checksum's own bytes count as zeros.
            checksum.add(index >= checksumAt && index < checksumAt &+ 4 ? 0 : header[index])
            index &+= 1
        }
        return checksum.value == number(header, at: checksumAt) ? nil : .checksumWrong
    }

    /// A number in network order.
    private static func number<Number: FixedWidthInteger>(
        _ bytes: Span<UInt8>,
        at start: Int,
        as type: Number.Type = Number.self
    ) -> Number {
        var value: Number = 0
        var index = start
        while index < start &+ Number.bitWidth / 8 {
            value = value << 8 | Number(truncatingIfNeeded: bytes[index])
            index &+= 1
        }
        return value
    }
}
