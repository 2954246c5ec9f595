// SPDX-License-Identifier: Apache-2.0
// A route's pattern, taken apart and checked when the route is added.

/// One segment of a pattern: what stands between two slashes.
enum PatternSegment: Hashable {
    case literal([UInt8])
    case parameter
    case catchAll
}

/// A route's pattern, such as `/users/:id/files/*path`, taken apart.
///
/// Literal bytes are decoded here once, in the way that requests are, so that a lookup compares bytes with bytes.
struct RoutePattern {
    /// Keeps offsets within a pattern in 16 bits, and start-up errors readable.
    static let bytesMax = 2048

    let text: String
    private(set) var segments: [PatternSegment] = []
    /// By slot; a catch-all without a name is called `*`.
    private(set) var parameterNames: [String] = []

    /// - Throws: any case of ``RoutingError`` that speaks of one pattern.
    /// - Complexity: O(bytes), but O(n²) in the at most 16 parameters.
    init(_ text: String) throws(RoutingError) {
        self.text = text
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.bytesMax else {
            throw .tooLong(pattern: text, byteCount: bytes.count, bytesMax: Self.bytesMax)
        }
        guard bytes.first == UInt8(ascii: "/") else { throw .notAbsolute(pattern: text) }
        for segment in bytes.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            if segments.last == .catchAll { throw .catchAllNotLast(pattern: text) }
            segments.append(try parse(segment))
        }
        guard parameterNames.count <= RouteMatch.parametersMax else {
            throw .tooManyParameters(
                pattern: text,
                count: parameterNames.count,
                countMax: RouteMatch.parametersMax
            )
        }
    }

    /// The pattern as sortable bytes, with parameter names taken out: literal bytes as they are, `parameterMark` for a
    /// parameter, `catchAllMark` for a catch-all. Two patterns match the same paths if and only if these are equal.
    var shape: [UInt8] {
        var shape: [UInt8] = []
        for segment in segments {
            shape.append(UInt8(ascii: "/"))
            switch segment {
            case .literal(let bytes): shape += bytes
            case .parameter: shape.append(Self.parameterMark)
            case .catchAll: shape.append(Self.catchAllMark)
            }
        }
        return shape
    }

    /// Control bytes, which no literal contains: they cannot be mistaken for one.
    static let parameterMark: UInt8 = 1
    static let catchAllMark: UInt8 = 2

    private mutating func parse(_ segment: ArraySlice<UInt8>) throws(RoutingError) -> PatternSegment {
        switch segment.first {
        case UInt8(ascii: ":"):
            guard segment.count > 1 else { throw .emptyParameterName(pattern: text) }
            try addName(segment.dropFirst())
            return .parameter
        case UInt8(ascii: "*"):
            if segment.count > 1 { try addName(segment.dropFirst()) } else { parameterNames.append("*") }
            return .catchAll
        default:
            return .literal(try decodeLiteral(segment))
        }
    }

    private mutating func addName(_ bytes: ArraySlice<UInt8>) throws(RoutingError) {
        let name = String(decoding: bytes, as: UTF8.self)
        for byte in bytes where !Self.isNameByte(byte) {
            if byte == UInt8(ascii: ":") || byte == UInt8(ascii: "*") {
                throw .partialSegment(pattern: text, segment: name)
            }
            throw .invalidParameterName(pattern: text, name: name)
        }
        guard !parameterNames.contains(name) else { throw .repeatedParameterName(pattern: text, name: name) }
        parameterNames.append(name)
    }

    private func decodeLiteral(_ segment: ArraySlice<UInt8>) throws(RoutingError) -> [UInt8] {
        var literal: [UInt8] = []
        var index = segment.startIndex
        while index < segment.endIndex {
            var byte = segment[index]
            var isForbidden = false
            index += 1
            switch byte {
            case UInt8(ascii: "%"):
                guard segment.endIndex - index >= 2,
                    let high = ASCII.hexValue(segment[index]), let low = ASCII.hexValue(segment[index + 1])
                else { throw .invalidEscape(pattern: text) }
                byte = high << 4 | low
                index += 2
                isForbidden = byte == UInt8(ascii: "/")
            case UInt8(ascii: ":"), UInt8(ascii: "*"):
                throw .partialSegment(pattern: text, segment: String(decoding: segment, as: UTF8.self))
            case UInt8(ascii: "?"), UInt8(ascii: "#"):
                isForbidden = true
            default:
                break
            }
            if isForbidden || byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "\\") {
                throw .forbiddenByte(pattern: text, byte: byte)
            }
            literal.append(byte)
        }
        if literal == [UInt8(ascii: ".")] || literal == [UInt8(ascii: "."), UInt8(ascii: ".")] {
            throw .dotSegment(pattern: text)
        }
        return literal
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"): true
        default: false
        }
    }
}
