// SPDX-License-Identifier: Apache-2.0
// Version 1: one line of text (section 2.1).

extension ProxyProtocol {
    private enum LineProtocol {
        case tcp4
        case tcp6
        case unknown
    }

    /// Reads the line that begins with `linePrefix`.
    static func readVersion1(_ bytes: Span<UInt8>) -> Outcome {
        let start = linePrefix.utf8CodeUnitCount
        // In this order for every length, so that the first fault is the same however much is there.
        let named: LineProtocol
        switch (
            match("TCP4 ", bytes, at: start), match("TCP6 ", bytes, at: start), match("UNKNOWN", bytes, at: start)
        ) {
        case (.matches, _, _): named = .tcp4
        case (_, .matches, _): named = .tcp6
        case (_, _, .matches): named = .unknown
        case (.differs, .differs, .differs): return .invalid(.protocolInvalid)
        default: return .incomplete
        }
        let fieldsStart = start &+ (named == .unknown ? 7 : 5)
        if named == .unknown {
            // Nothing may be glued to the word; behind a space anything is ignored.
            guard fieldsStart < bytes.count else { return .incomplete }
            let next = bytes[fieldsStart]
            guard next == space || next == carriageReturn || next == lineFeed else {
                return .invalid(.protocolInvalid)
            }
        }

        var end = fieldsStart
        let limit = min(bytes.count, lineBytesMax)
        while end < limit, bytes[end] != carriageReturn, bytes[end] != lineFeed { end &+= 1 }
        // The line's last two bytes may be the 106th and 107th.
        if end >= lineBytesMax &- 1 { return .invalid(.lineTooLong) }
        if end == bytes.count { return .incomplete }
        if bytes[end] == lineFeed { return .invalid(.lineEndInvalid) }
        if end &+ 1 == bytes.count { return .incomplete }
        guard bytes[end &+ 1] == lineFeed else { return .invalid(.lineEndInvalid) }

        if named == .unknown { return .complete(ProxyHeader(byteCount: end &+ 2, origin: .unknown)) }
        return readFields(bytes.extracting(fieldsStart..<end), isIPv6: named == .tcp6, byteCount: end &+ 2)
    }

    /// Reads `source destination sourcePort destinationPort`, which is all of `fields`.
    private static func readFields(_ fields: Span<UInt8>, isIPv6: Bool, byteCount: Int) -> Outcome {
        var ends = InlineArray<3, Int>(repeating: 0)
        var spaceCount = 0
        var index = 0
        while index < fields.count {
            if fields[index] == space {
                guard spaceCount < 3 else { return .invalid(.lineMalformed) }
                ends[spaceCount] = index
                spaceCount &+= 1
            }
            index &+= 1
        }
        guard spaceCount == 3 else { return .invalid(.lineMalformed) }
        guard let sourcePort = port(fields.extracting((ends[1] &+ 1)..<ends[2])),
            let destinationPort = port(fields.extracting((ends[2] &+ 1)..<fields.count))
        else { return .invalid(.portInvalid) }
        guard let source = address(fields.extracting(0..<ends[0]), isIPv6: isIPv6, port: sourcePort),
            let destination = address(
                fields.extracting((ends[0] &+ 1)..<ends[1]),
                isIPv6: isIPv6,
                port: destinationPort
            )
        else { return .invalid(.addressInvalid) }
        return .complete(
            ProxyHeader(byteCount: byteCount, origin: .proxied(source: source, destination: destination))
        )
    }

    private static func address(_ text: Span<UInt8>, isIPv6: Bool, port: UInt16) -> SocketAddress? {
        var hasColon = false
        var index = 0
        while index < text.count {
            if text[index] == UInt8(ascii: ":") { hasColon = true }
            index &+= 1
        }
        return hasColon == isIPv6 ? SocketAddress(numeric: text, port: port) : nil
    }

    private static func port(_ text: Span<UInt8>) -> UInt16? {
        guard text.count > 0, text.count <= 5, text.count == 1 || text[0] != UInt8(ascii: "0") else { return nil }
        var value = 0
        var index = 0
        while index < text.count {
            let digit = text[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            value = value &* 10 &+ Int(digit)
            index &+= 1
        }
        return UInt16(exactly: value)
    }

    private static var space: UInt8 { UInt8(ascii: " ") }
    private static var carriageReturn: UInt8 { UInt8(ascii: "\r") }
    private static var lineFeed: UInt8 { UInt8(ascii: "\n") }
}
