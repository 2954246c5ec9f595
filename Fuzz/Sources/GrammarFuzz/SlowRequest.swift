// SPDX-License-Identifier: Apache-2.0
// A request's head, read slowly: one function for each rule of RFC 9112 and RFC 9110, over arrays, in the RFC's order. It
// shares no line with Sources/WeirHTTP.

typealias Bytes = ArraySlice<UInt8>

struct SlowField: Equatable {
    let name: [UInt8]
    let value: [UInt8]

    func isNamed(_ text: String) -> Bool { lowercase(name[...]) == Array(text.utf8) }
}

enum SlowFraming: Equatable {
    case none
    case length(UInt64)
    case chunked
}

/// What a head says, as far as the RFC reads it.
struct SlowRequest: Equatable {
    var method: [UInt8] = []
    var target: [UInt8] = []
    var minorVersion = 0
    var fields: [SlowField] = []
    var framing = SlowFraming.none
    var options: [[UInt8]] = []
    var byteCount = 0

    enum Outcome: Equatable {
        /// There is no empty line yet.
        case incomplete
        case refused
        case read(SlowRequest)
    }

    static func read(_ bytes: [UInt8]) -> Outcome {
        guard let (lines, byteCount) = head(bytes) else { return .incomplete }
        var request = SlowRequest()
        request.byteCount = byteCount
        guard let requestLine = lines.first, request.readRequestLine(requestLine) else { return .refused }
        for line in lines.dropFirst() {
            guard let field = fieldLine(line) else { return .refused }
            request.fields.append(field)
        }
        guard request.readConnection(), request.hasHost, request.readFraming() else { return .refused }
        return .read(request)
    }

    func values(_ name: String) -> [[UInt8]] { fields.filter { $0.isNamed(name) }.map(\.value) }

    /// RFC 9112 section 2.1: `HTTP-message = start-line CRLF *( field-line CRLF ) CRLF [ message-body ]`. One empty line in
    /// front is ignored (section 2.2); a CR or an LF alone ends no line.
    private static func head(_ bytes: [UInt8]) -> (lines: [Bytes], byteCount: Int)? {
        var lines: [Bytes] = []
        var start = bytes.starts(with: [0x0D, 0x0A]) ? 2 : 0
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

    /// RFC 9112 section 3: `request-line = method SP request-target SP HTTP-version`.
    private mutating func readRequestLine(_ line: Bytes) -> Bool {
        let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count == 3, isToken(parts[0]) else { return false }
        method = Array(parts[0])
        target = Array(parts[1])
        // Section 2.3: `HTTP-version = HTTP-name "/" DIGIT "." DIGIT`, case-sensitive.
        let version = Array(parts[2])
        guard version.count == 8, version.starts(with: "HTTP/1.".utf8), isDigit(version[7]) else { return false }
        minorVersion = version[7] == UInt8(ascii: "0") ? 0 : 1
        return SlowTarget.isTarget(target, of: method)
    }

    /// RFC 9112 section 5: `field-line = field-name ":" OWS field-value OWS`; section 5.2: no folding.
    static func fieldLine(_ line: Bytes) -> SlowField? {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), isToken(line[..<colon]) else { return nil }
        let value = trimmed(line[(colon + 1)...])
        // RFC 9110 section 5.5: VCHAR, obs-text, SP, HTAB.
        guard value.allSatisfy({ $0 == 0x09 || $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        return SlowField(name: Array(line[..<colon]), value: Array(value))
    }

    /// RFC 9110 section 7.6.1: `Connection = #connection-option`, a token each.
    private mutating func readConnection() -> Bool {
        options = values("connection").flatMap { list($0) }.map { lowercase($0) }
        return options.allSatisfy { isToken($0[...]) }
    }

    /// RFC 9112 section 3.2: one Host in HTTP/1.1, and never two.
    private var hasHost: Bool {
        let count = values("host").count
        return count == 1 || count == 0 && minorVersion == 0
    }

    /// RFC 9112 section 6.3, of a request.
    private mutating func readFraming() -> Bool {
        let lengths = values("content-length")
        let codings = values("transfer-encoding")
        if !codings.isEmpty {
            // Section 6.1: in HTTP/1.0 the framing is faulty, and with Content-Length it is an attempt to smuggle.
            guard minorVersion == 1, lengths.isEmpty else { return false }
            let names = codings.flatMap { list($0) }.map { lowercase($0) }
            framing = .chunked
            // Chunked is the last, and applied once.
            return names.last == Array("chunked".utf8) && names.count { $0 == Array("chunked".utf8) } == 1
        }
        if lengths.isEmpty { return true }
        // RFC 9110 section 8.6: `Content-Length = 1*DIGIT`, repeated where all are the same.
        let numbers = Set(lengths.flatMap { list($0) }.map { number($0) })
        guard numbers.count == 1, let length = numbers.first ?? nil else { return false }
        framing = .length(length)
        return true
    }

    /// RFC 9112 section 9.3.
    var keepsAlive: Bool {
        if options.contains(Array("close".utf8)) { return false }
        return minorVersion == 1 || options.contains(Array("keep-alive".utf8))
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
