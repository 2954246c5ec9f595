// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP

@Suite("HeaderName") struct HeaderNameTests {
    /// What the parser takes a field's name for.
    private func recognised(_ name: [UInt8]) -> HeaderName? {
        // HTTP/1.0, so that nothing is missing; the value is good for every field with a meaning but the coding.
        let bytes = Array("GET / HTTP/1.0\r\n".utf8) + name + Array(": 100\r\n\r\n".utf8)
        var parser = RequestParser(limits: HTTPLimits())
        switch parser.parse(bytes.span) {
        case .complete: return parser.field(0).known
        case .invalid(let fault) where fault.kind == .codingInHTTP10: return .transferEncoding
        default: return nil
        }
    }

    @Test("A known name is recognised in any case", arguments: HeaderName.allCases.filter { $0 != .other })
    func anyCase(name: HeaderName) {
        let lower = Array("\(name.text)".utf8)
        #expect(recognised(lower) == name)
        #expect(recognised(Array("\(name.text)".uppercased().utf8)) == name)
        let mixed = "\(name.text)".enumerated().map { $0 % 2 == 0 ? $1.uppercased() : "\($1)" }.joined()
        #expect(recognised(Array(mixed.utf8)) == name)
    }

    @Test("One byte more, less or different is another name", arguments: HeaderName.allCases.filter { $0 != .other })
    func nearMisses(name: HeaderName) {
        let lower = Array("\(name.text)".utf8)
        for index in lower.indices {
            for byte in UInt8.min...UInt8.max where ByteClass.contains(ByteClass.token, byte) {
                var other = lower
                other[index] = byte
                if byte | 0x20 == lower[index], byte != lower[index], lower[index] != UInt8(ascii: "-") { continue }
                let expected = HeaderName.allCases.first { Array("\($0.text)".utf8) == other } ?? .other
                #expect(recognised(other) == expected)
            }
        }
        #expect(recognised(Array(lower.dropLast())) == .other)
        #expect(recognised(lower + [UInt8(ascii: "s")]) == .other)
    }

    @Test("The bitmap of seen names has room for every name")
    func fitsBitmap() {
        #expect(HeaderName.allCases.count <= 64)
    }
}
