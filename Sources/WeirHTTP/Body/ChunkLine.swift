// SPDX-License-Identifier: Apache-2.0
// The chunk-size line: chunk-size [ chunk-ext ] (RFC 9112 sections 7.1 and 7.1.1).

/// Reads a chunk's size; checks its extensions and forgets them.
struct ChunkLine {
    enum Outcome {
        case size(UInt64)
        case invalid(RequestFault.Kind, at: Int)
    }

    /// The next byte to look at; where a step below fails, the byte that is wrong.
    private var index: Int
    /// Behind the last byte of the line.
    private let end: Int

    /// The line in `start..<end`, without its CRLF: 1 to 16 hexadecimal digits below 2^63, then extensions.
    static func parse(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Outcome {
        var size: UInt64 = 0
        var index = start
        while index < end, ByteClass.contains(ByteClass.hexDigit, bytes[index]) {
            if index &- start == 16 { return .invalid(.chunkSizeInvalid, at: start) }
            size = size &<< 4 | digitValue(bytes[index])
            index &+= 1
        }
        guard index > start, size <= UInt64(Int64.max) else {
            return .invalid(
                index < end ? FieldLine.kind(of: bytes[index], else: .chunkSizeInvalid) : .chunkSizeInvalid,
                at: start
            )
        }
        var line = ChunkLine(index: index, end: end)
        while line.index < end {
            if line.readExtension(bytes) { continue }
            let fault = line.index
            let kind: RequestFault.Kind = fault == index ? .chunkSizeInvalid : .chunkExtensionInvalid
            return .invalid(fault < end ? FieldLine.kind(of: bytes[fault], else: kind) : kind, at: fault)
        }
        return .size(size)
    }

    @inline(__always)
    private static func digitValue(_ byte: UInt8) -> UInt64 {
        UInt64(byte <= UInt8(ascii: "9") ? byte &- UInt8(ascii: "0") : (byte | 0x20) &- UInt8(ascii: "a") &+ 10)
    }

    /// `BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ]`. Whitespace at the line's end belongs to no
    /// extension and is refused.
    private mutating func readExtension(_ bytes: Span<UInt8>) -> Bool {
        skipWhitespace(bytes)
        guard index < end, bytes[index] == ByteScan.semicolon else { return false }
        index &+= 1
        skipWhitespace(bytes)
        guard readToken(bytes) else { return false }
        let nameEnd = index
        skipWhitespace(bytes)
        guard index < end, bytes[index] == UInt8(ascii: "=") else {
            index = nameEnd
            return true
        }
        index &+= 1
        skipWhitespace(bytes)
        guard index < end, bytes[index] == UInt8(ascii: "\"") else { return readToken(bytes) }
        return readQuotedString(bytes)
    }

    private mutating func skipWhitespace(_ bytes: Span<UInt8>) {
        while index < end, FieldLine.isWhitespace(bytes[index]) { index &+= 1 }
    }

    private mutating func readToken(_ bytes: Span<UInt8>) -> Bool {
        let start = index
        while index < end, ByteClass.contains(ByteClass.token, bytes[index]) { index &+= 1 }
        return index > start
    }

    /// RFC 9110 section 5.6.4. A quoted pair may escape what may stand in a field value.
    private mutating func readQuotedString(_ bytes: Span<UInt8>) -> Bool {
        index &+= 1
        while index < end {
            var byte = bytes[index]
            if byte == UInt8(ascii: "\"") {
                index &+= 1
                return true
            }
            if byte == UInt8(ascii: "\\") {
                index &+= 1
                guard index < end else { return false }
                byte = bytes[index]
            }
            guard ByteClass.contains(ByteClass.fieldValue, byte) else { return false }
            index &+= 1
        }
        return false
    }
}
