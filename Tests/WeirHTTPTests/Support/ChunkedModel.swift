// SPDX-License-Identifier: Apache-2.0
// The chunked coding as the RFC's grammar has it, slow and obvious: what the decoder is compared with.

/// Reads a coded body that is all there.
struct ChunkedModel {
    enum End: Equatable {
        case incomplete, invalid
        case complete(Int)
    }

    private(set) var data: [UInt8] = []
    private(set) var trailers: [String] = []
    private(set) var end = End.incomplete
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
        end = run(bytes.count)
    }

    private mutating func run(_ total: Int) -> End {
        while true {
            guard let line = nextLine() else { return .incomplete }
            guard let size = line.flatMap(Self.size) else { return .invalid }
            if size == 0 { break }
            data += rest.prefix(size)
            if rest.count < size { return .incomplete }
            rest = rest.dropFirst(size)
            if let first = rest.first, first != 0x0D { return .invalid }
            if rest.count < 2 { return .incomplete }
            if rest.dropFirst().first != 0x0A { return .invalid }
            rest = rest.dropFirst(2)
        }
        while true {
            guard let line = nextLine() else { return .incomplete }
            guard let line else { return .invalid }
            if line.isEmpty { return .complete(total - rest.count) }
            guard let field = Self.field(line) else { return .invalid }
            trailers.append(field)
        }
    }

    /// Nil if there is no LF, nil inside if the line before it is not right.
    private mutating func nextLine() -> [UInt8]?? {
        guard let lineFeed = rest.firstIndex(of: 0x0A) else { return .none }
        var line = Array(rest[..<lineFeed])
        rest = rest[(lineFeed + 1)...]
        guard line.popLast() == 0x0D, !line.contains(0x0D) else { return .some(nil) }
        return .some(line)
    }

    private static func isToken(_ text: some StringProtocol) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || Array("!#$%&'*+-.^_`|~".utf8).contains(byte)
            }
    }

    /// Bytes as characters of the same number, so that every byte has one.
    private static func text(_ bytes: [UInt8]) -> String {
        String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }

    private static func size(_ line: [UInt8]) -> Int? {
        let text = text(line)
        guard let match = text.wholeMatch(of: /(?<size>[0-9A-Fa-f]{1,16})(?<extensions>.*)/.dotMatchesNewlines())
        else { return nil }
        let blank = "[ \\t]*"
        let token = "[A-Za-z0-9!#$%&'*+.^_`|~-]+"
        let quoted = "\"(?:[\\t \\x21\\x23-\\x5B\\x5D-\\x7E\\x{80}-\\x{FF}]|\\\\[\\t \\x21-\\x7E\\x{80}-\\x{FF}])*\""
        let pattern = "(?:\(blank);\(blank)\(token)(?:\(blank)=\(blank)(?:\(token)|\(quoted)))?)*"
        guard let extensions = try? Regex(pattern).matchingSemantics(.unicodeScalar) else { return nil }
        guard match.output.extensions.wholeMatch(of: extensions) != nil else { return nil }
        return Int(match.output.size, radix: 16)
    }

    private static func field(_ line: [UInt8]) -> String? {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let name = text(Array(line[..<colon]))
        let forbidden = ["content-length", "host", "trailer", "te", "transfer-encoding"]
        guard isToken(name), !forbidden.contains(name.lowercased()) else { return nil }
        var value = line[(colon + 1)...]
        guard value.allSatisfy({ $0 == 9 || $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        while let first = value.first, first == 9 || first == 0x20 { value = value.dropFirst() }
        while let last = value.last, last == 9 || last == 0x20 { value = value.dropLast() }
        return name + "=" + String(decoding: value, as: UTF8.self)
    }
}
