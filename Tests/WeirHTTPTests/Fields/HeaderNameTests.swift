// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP

@Suite("HeaderName") struct HeaderNameTests {
    private static let names = HeaderName.allCases.filter { "\($0.text)" != "" }
    /// Names of which a lookalike is told apart.
    static let guarded: [HeaderName] = [
        .contentLength, .keepAlive, .proxyAuthenticate, .proxyAuthenticationInfo, .proxyAuthorization, .proxyConnection,
        .transferEncoding, .xForwardedClientCert, .xForwardedFor, .xForwardedHost, .xForwardedPort, .xForwardedProto,
        .xRealIP, .xRequestID,
    ]

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

    @Test("A known name is recognised in any case", arguments: names)
    func anyCase(name: HeaderName) {
        let lower = Array("\(name.text)".utf8)
        #expect(recognised(lower) == name)
        #expect(recognised(Array("\(name.text)".uppercased().utf8)) == name)
        let mixed = "\(name.text)".enumerated().map { $0 % 2 == 0 ? $1.uppercased() : "\($1)" }.joined()
        #expect(recognised(Array(mixed.utf8)) == name)
    }

    @Test("One byte more, less or different is another name", arguments: names)
    func nearMisses(name: HeaderName) {
        let lower = Array("\(name.text)".utf8)
        for index in lower.indices {
            for byte in UInt8.min...UInt8.max where ByteClass.contains(ByteClass.token, byte) {
                var other = lower
                other[index] = byte
                if byte | 0x20 == lower[index], byte != lower[index], lower[index] != UInt8(ascii: "-") { continue }
                let isLookalike =
                    Self.guarded.contains(name) && lower[index] == UInt8(ascii: "-")
                    && byte == UInt8(ascii: "_")
                let expected =
                    Self.names.first { Array("\($0.text)".utf8) == other } ?? (isLookalike ? .lookalike : .other)
                #expect(recognised(other) == expected)
            }
        }
        #expect(recognised(Array(lower.dropLast())) == .other)
        #expect(recognised(lower + [UInt8(ascii: "s")]) == .other)
    }

    @Test("Underscores for any of the hyphens make a lookalike, in any case", arguments: guarded)
    func lookalikes(name: HeaderName) {
        let lower = "\(name.text)"
        let hyphens = lower.indices.filter { lower[$0] == "-" }
        for choice in 1..<(1 << hyphens.count) {
            var other = lower
            for (place, index) in hyphens.enumerated() where choice >> place & 1 == 1 {
                other.replaceSubrange(index...index, with: "_")
            }
            #expect(recognised(Array(other.utf8)) == .lookalike)
            #expect(recognised(Array(other.uppercased().utf8)) == .lookalike)
            #expect(recognised(Array((other.dropLast() + "~").utf8)) == .other)
        }
    }

    @Test("The bitmap of seen names has room for every name")
    func fitsBitmap() {
        #expect(HeaderName.allCases.count <= 64)
    }
}
