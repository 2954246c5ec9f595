// SPDX-License-Identifier: Apache-2.0
// What requests and responses share, read slowly: lines, fields, lists (RFC 9112 sections 2 and 5, RFC 9110 section 5). It
// shares no line with Sources/WeirHTTP.

typealias Bytes = ArraySlice<UInt8>

struct SlowField: Equatable {
    let name: [UInt8]
    let value: [UInt8]

    func isNamed(_ text: String) -> Bool { lowercase(name[...]) == Array(text.utf8) }
}

extension [SlowField] {
    func values(_ name: String) -> [[UInt8]] { filter { $0.isNamed(name) }.map(\.value) }

    /// RFC 9110 section 7.6.1: `Connection = #connection-option`, a token each where it is right.
    var connectionOptions: [[UInt8]] { values("connection").flatMap { list($0) }.map { lowercase($0) } }
}

/// What the fields say of a body (RFC 9112 section 6).
enum SlowFraming: Equatable {
    case none
    case length(UInt64)
    case chunked
    /// By codings of which chunked is not the last.
    case coded

    /// Nil where they contradict themselves.
    static func of(_ fields: [SlowField], minorVersion: Int) -> SlowFraming? {
        let lengths = fields.values("content-length")
        let codings = fields.values("transfer-encoding")
        if !codings.isEmpty {
            // Section 6.1: in HTTP/1.0 the framing is faulty, and with Content-Length it is an attempt to smuggle.
            guard minorVersion == 1, lengths.isEmpty else { return nil }
            let names = codings.flatMap { list($0) }.map { lowercase($0) }
            let chunked = Array("chunked".utf8)
            guard names.last == chunked else { return .coded }
            // Section 7.1: it is not applied twice.
            return names.count { $0 == chunked } == 1 ? .chunked : nil
        }
        if lengths.isEmpty { return SlowFraming.none }
        // RFC 9110 section 8.6: `Content-Length = 1*DIGIT`, repeated where all are the same.
        let numbers = Set(lengths.flatMap { list($0) }.map { number($0) })
        guard numbers.count == 1, let length = numbers.first ?? nil else { return nil }
        return .length(length)
    }
}

enum SlowHead {
    /// RFC 9112 section 2.1: `HTTP-message = start-line CRLF *( field-line CRLF ) CRLF [ message-body ]`. One empty line in
    /// front of a request is ignored (section 2.2); a CR or an LF alone ends no line.
    static func lines(
        _ bytes: [UInt8],
        mayBeginEmpty: Bool
    ) -> (lines: [Bytes], byteCount: Int)? {
        var lines: [Bytes] = []
        var start = mayBeginEmpty && bytes.starts(with: [0x0D, 0x0A]) ? 2 : 0
        var index = start
        while index + 1 < bytes.count {
            guard bytes[index] == 0x0D, bytes[index + 1] == 0x0A else {
                index += 1
                continue
            }
            if index == start { return (lines, index + 2) }
            lines.append(bytes[start..<index])
            start = index + 2
            index = start
        }
        return nil
    }

    /// RFC 9112 section 5: `field-line = field-name ":" OWS field-value OWS`; section 5.2: no folding.
    static func field(_ line: Bytes) -> SlowField? {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), isToken(line[..<colon]) else { return nil }
        let value = trimmed(line[(colon + 1)...])
        // RFC 9110 section 5.5: VCHAR, obs-text, SP, HTAB.
        guard value.allSatisfy({ $0 == 0x09 || $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        return SlowField(name: Array(line[..<colon]), value: Array(value))
    }

    /// RFC 9112 section 2.3: `HTTP-version = HTTP-name "/" DIGIT "." DIGIT`, case-sensitive; nil where it is not 1.x.
    static func minorVersion(_ version: Bytes) -> Int? {
        guard version.count == 8, version.starts(with: "HTTP/1.".utf8), let digit = version.last, isDigit(digit) else {
            return nil
        }
        return digit == UInt8(ascii: "0") ? 0 : 1
    }
}

// MARK: Bytes (RFC 9110 section 5.6, RFC 5234 appendix B.1)

func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

func isLetter(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte & 0xDF) && byte < 0x80 }

func isHexadecimal(_ byte: UInt8) -> Bool { isDigit(byte) || (0x41...0x46).contains(byte & 0xDF) && byte < 0x80 }

/// `token = 1*tchar`.
func isToken(_ bytes: Bytes) -> Bool {
    !bytes.isEmpty && bytes.allSatisfy { isDigit($0) || isLetter($0) || "!#$%&'*+-.^_`|~".utf8.contains($0) }
}

/// Without OWS at both ends.
func trimmed(_ bytes: Bytes) -> Bytes {
    var rest = bytes.drop { $0 == 0x20 || $0 == 0x09 }
    while rest.last == 0x20 || rest.last == 0x09 { rest.removeLast() }
    return rest
}

/// `#element`: elements with commas between, the empty ones ignored (section 5.6.1.2).
func list(_ value: [UInt8]) -> [Bytes] {
    value.split(separator: UInt8(ascii: ",")).map { trimmed($0) }.filter { !$0.isEmpty }
}

func lowercase(_ bytes: Bytes) -> [UInt8] { bytes.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 } }

/// `1*DIGIT` as far as 64 bits hold it.
func number(_ digits: Bytes) -> UInt64? {
    digits.allSatisfy(isDigit) ? UInt64(String(decoding: digits, as: UTF8.self)) : nil
}
