// SPDX-License-Identifier: Apache-2.0
// The chunked coding, read slowly: one function for each rule of RFC 9112 section 7.1.

struct SlowChunks: Equatable {
    var data: [UInt8] = []
    var trailers: [SlowField] = []
    var byteCount = 0
    /// How long what it was read from is: beside what was read, and no part of it.
    private(set) var extent = Extent()

    struct Extent {
        var longestLine = 0
        var mostDigits = 0
        var trailers = 0
    }

    static func == (_ one: SlowChunks, _ other: SlowChunks) -> Bool {
        one.data == other.data && one.trailers == other.trailers && one.byteCount == other.byteCount
    }

    enum Outcome: Equatable {
        case incomplete
        case refused
        case read(SlowChunks)
    }

    /// `chunked-body = *chunk last-chunk trailer-section CRLF`.
    static func read(_ bytes: [UInt8]) -> Outcome {
        var body = SlowChunks()
        while true {
            guard let line = body.line(of: bytes) else { return .incomplete }
            guard let size = chunkSize(line) else { return .refused }
            body.extent.longestLine = max(body.extent.longestLine, line.count + 2)
            body.extent.mostDigits = max(body.extent.mostDigits, line.prefix { isHexadecimal($0) }.count)
            if size == 0 { break }
            // `chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF`.
            guard size <= UInt64(bytes.count), body.byteCount + Int(size) + 2 <= bytes.count else { return .incomplete }
            let end = body.byteCount + Int(size)
            guard bytes[end] == 0x0D, bytes[end + 1] == 0x0A else { return .refused }
            body.data += bytes[body.byteCount..<end]
            body.byteCount = end + 2
        }
        // Section 7.1.2: `trailer-section = *( field-line CRLF )`.
        while true {
            guard let line = body.line(of: bytes) else { return .incomplete }
            body.extent.trailers += line.count + 2
            if line.isEmpty { return .read(body) }
            guard let field = SlowHead.field(line) else { return .refused }
            body.trailers.append(field)
        }
    }

    /// What stands before the next CRLF, which is read too.
    private mutating func line(of bytes: [UInt8]) -> Bytes? {
        var end = byteCount
        while end + 1 < bytes.count {
            if bytes[end] == 0x0D, bytes[end + 1] == 0x0A {
                defer { byteCount = end + 2 }
                return bytes[byteCount..<end]
            }
            end += 1
        }
        return nil
    }

    /// `chunk-size [ chunk-ext ]`: `1*HEXDIG`, as far as 64 bits hold it.
    private static func chunkSize(_ line: Bytes) -> UInt64? {
        let digits = line.prefix { isHexadecimal($0) }
        let rest = line[digits.endIndex...]
        return areExtensions(rest) ? UInt64(String(decoding: digits, as: UTF8.self), radix: 16) : nil
    }

    /// Section 7.1.1: `*( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )`.
    private static func areExtensions(_ bytes: Bytes) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            guard skip(UInt8(ascii: ";"), &rest), token(&rest) else { return false }
            var behind = rest
            guard skip(UInt8(ascii: "="), &behind) else { continue }
            rest = behind
            guard rest.first == UInt8(ascii: "\"") ? quotedString(&rest) : token(&rest) else { return false }
        }
        return true
    }

    /// `BWS byte BWS`.
    private static func skip(_ byte: UInt8, _ rest: inout Bytes) -> Bool {
        rest = rest.drop { $0 == 0x20 || $0 == 0x09 }
        guard rest.first == byte else { return false }
        rest = rest.dropFirst().drop { $0 == 0x20 || $0 == 0x09 }
        return true
    }

    private static func token(_ rest: inout Bytes) -> Bool {
        let name = rest.prefix { isToken([$0]) }
        rest = rest[name.endIndex...]
        return !name.isEmpty
    }

    /// RFC 9110 section 5.6.4: `DQUOTE *( qdtext / quoted-pair ) DQUOTE`.
    private static func quotedString(_ rest: inout Bytes) -> Bool {
        rest = rest.dropFirst()
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { return true }
            guard let text = byte == UInt8(ascii: "\\") ? rest.popFirst() : byte else { return false }
            guard text == 0x09 || text >= 0x20 && text != 0x7F else { return false }
        }
        return false
    }
}
