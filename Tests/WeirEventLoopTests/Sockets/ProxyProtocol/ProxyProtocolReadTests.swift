// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirTestSupport

/// A header and what it says.
struct ProxyCase: CustomTestStringConvertible, Sendable {
    let bytes: [UInt8]
    let origin: ProxyHeader.Origin

    init(_ line: String, _ origin: ProxyHeader.Origin) {
        bytes = Array(line.utf8)
        self.origin = origin
    }

    init(_ bytes: [UInt8], _ origin: ProxyHeader.Origin) {
        self.bytes = bytes
        self.origin = origin
    }

    var testDescription: String {
        bytes.first == 0x0D ? hexadecimal(bytes) : String(decoding: bytes, as: UTF8.self).debugDescription
    }
}

/// A header that is refused, and how many of its bytes are enough to know it.
struct ProxyFaultCase: CustomTestStringConvertible, Sendable {
    let bytes: [UInt8]
    let fault: ProxyFault
    let knownAt: Int

    init(_ line: String, _ fault: ProxyFault, at knownAt: Int? = nil) {
        self.init(Array(line.utf8), fault, at: knownAt)
    }

    init(_ bytes: [UInt8], _ fault: ProxyFault, at knownAt: Int? = nil) {
        self.bytes = bytes
        self.fault = fault
        self.knownAt = knownAt ?? bytes.count
    }

    var testDescription: String { "\(fault.rawValue): \(hexadecimal(bytes))" }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

/// The bytes that hexadecimal text says; blanks are ignored.
private func bytes(_ text: String) -> [UInt8] {
    let digits = Array(text.filter { $0 != " " })
    return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) }
}

/// A version 2 header with this command, family and rest.
private func header(_ command: UInt8, _ family: UInt8, _ rest: [UInt8]) -> [UInt8] {
    bytes("0D0A0D0A000D0A515549540A") + [command, family, UInt8(rest.count >> 8), UInt8(rest.count & 255)] + rest
}

private let four = bytes("C0000221 CB007107 C822 01BB")
private let fourOrigin = ProxyHeader.Origin.proxied(
    source: .ipv4(0xC000_0221, port: 51234),
    destination: .ipv4(0xCB00_7107, port: 443)
)
private let six = bytes("20010DB8000000000000000000000001 FD000000000000000000000000000002 FFFF 0001")
private let sixOrigin = ProxyHeader.Origin.proxied(
    source: .ipv6(0x2001_0DB8_0000_0000, 1, port: 65535),
    destination: .ipv6(0xFD00_0000_0000_0000, 2, port: 1)
)

/// What is said of these bytes; the copy has not one byte behind them.
private func read(_ bytes: some Sequence<UInt8>) -> ProxyProtocol.Outcome {
    ProxyProtocol.read(Array(bytes).span)
}

private func unixPath(_ text: String) -> [UInt8] {
    Array(text.utf8) + Array(repeating: 0, count: 108 - text.utf8.count)
}

@Suite struct ProxyProtocolReadTests {
    static let longestPath = "/" + String(repeating: "p", count: 107)

    static let good = [
        // The specification's own example.
        ProxyCase(
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
            .proxied(source: .ipv4(0xC0A8_0001, port: 56324), destination: .ipv4(0xC0A8_000B, port: 443))
        ),
        ProxyCase(
            "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
            .proxied(source: .ipv4(.max, port: 65535), destination: .ipv4(.max, port: 65535))
        ),
        ProxyCase(
            "PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n",
            .proxied(source: .ipv4(0, port: 0), destination: .ipv4(0, port: 0))
        ),
        ProxyCase(
            "PROXY TCP6 2001:DB8::1 fd00::2 65535 1\r\n",
            sixOrigin
        ),
        ProxyCase(
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            .proxied(source: .ipv6(.max, .max, port: 65535), destination: .ipv6(.max, .max, port: 65535))
        ),
        ProxyCase(
            "PROXY TCP6 ::ffff:10.0.0.1 ::ffff:a00:2 1 2\r\n",
            .proxied(source: .ipv4(0x0A00_0001, port: 1), destination: .ipv4(0x0A00_0002, port: 2))
        ),
        ProxyCase("PROXY UNKNOWN\r\n", .unknown),
        ProxyCase("PROXY UNKNOWN any thing, at\u{e9} all \0\r\n", .unknown),
        ProxyCase(
            "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535"
                + "\r\n",
            .unknown
        ),
        ProxyCase(header(0x21, 0x11, four), fourOrigin),
        ProxyCase(header(0x21, 0x12, four), fourOrigin),
        ProxyCase(header(0x21, 0x21, six), sixOrigin),
        ProxyCase(header(0x21, 0x22, six), sixOrigin),
        ProxyCase(
            header(0x21, 0x21, bytes("00000000000000000000FFFF0A000001 00000000000000000000FFFF0A000002 0001 0002")),
            .proxied(source: .ipv4(0x0A00_0001, port: 1), destination: .ipv4(0x0A00_0002, port: 2))
        ),
        ProxyCase(
            header(0x21, 0x31, unixPath("/run/a.sock") + unixPath(longestPath)),
            .proxied(source: .unix(path: "/run/a.sock"), destination: .unix(path: longestPath))
        ),
        ProxyCase(
            header(0x21, 0x32, unixPath("") + unixPath("\0abstract")),
            .proxied(source: .unix(path: ""), destination: .unix(path: ""))
        ),
        // LOCAL: family and rest are ignored, whatever they are.
        ProxyCase(header(0x20, 0x00, []), .local),
        ProxyCase(header(0x20, 0x11, four), .local),
        ProxyCase(header(0x20, 0xFF, [1, 2, 3]), .local),
        // An unspecified family or transport.
        ProxyCase(header(0x21, 0x00, []), .unknown),
        ProxyCase(header(0x21, 0x00, four), .unknown),
        ProxyCase(header(0x21, 0x01, [9]), .unknown),
        ProxyCase(header(0x21, 0x10, four), .unknown),
        ProxyCase(header(0x21, 0x30, []), .unknown),
        // Extensions: ALPN h2, an empty NOOP, one that nobody knows.
        ProxyCase(header(0x21, 0x11, four + bytes("010002 6832 040000 EE0001FF")), fourOrigin),
        ProxyCase(header(0x21, 0x21, six + bytes("300000")), sixOrigin),
        ProxyCase(header(0x21, 0x11, four + bytes("04 0FD1") + [UInt8](repeating: 7, count: 4049)), fourOrigin),
        // A checksum before and behind another extension, as an independent CRC-32C has it.
        ProxyCase(header(0x21, 0x11, four + bytes("030004 1A9B6264 010002 6832")), fourOrigin),
        ProxyCase(header(0x21, 0x11, four + bytes("010002 6832 030004 B3936D4E")), fourOrigin),
    ]

    @Test(arguments: good)
    func `a header is read when its last byte has come`(good: ProxyCase) {
        let complete = ProxyProtocol.Outcome.complete(ProxyHeader(byteCount: good.bytes.count, origin: good.origin))
        #expect(read(good.bytes) == complete)
        for rest in ["G", "GET / HTTP/1.1\r\n\r\n", "PROXY UNKNOWN\r\n"] {
            #expect(read(good.bytes + Array(rest.utf8)) == complete)
        }
        for count in 0..<good.bytes.count {
            if read(good.bytes[..<count]) != .incomplete {
                Issue.record("the first \(count) bytes are not incomplete")
            }
        }
    }

    static let bad = [
        ProxyFaultCase("PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n", .protocolInvalid, at: 10),
        ProxyFaultCase("PROXY tcp4 1.1.1.1 1.1.1.1 1 1\r\n", .protocolInvalid, at: 7),
        ProxyFaultCase("PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n", .protocolInvalid, at: 8),
        ProxyFaultCase("PROXY  TCP4 1.1.1.1 1.1.1.1 1 1\r\n", .protocolInvalid, at: 7),
        ProxyFaultCase("PROXY TCP4\r\n", .protocolInvalid, at: 11),
        ProxyFaultCase("PROXY UNKNOWNS\r\n", .protocolInvalid, at: 14),
        ProxyFaultCase("PROXY / HTTP/1.1\r\n", .protocolInvalid, at: 7),
        ProxyFaultCase("PROXY \r\n", .protocolInvalid, at: 7),
        ProxyFaultCase("PROXY UNKNOWN\n", .lineEndInvalid),
        ProxyFaultCase("PROXY UNKNOWN\rX", .lineEndInvalid),
        ProxyFaultCase("PROXY UNKNOWN a\r\r\n", .lineEndInvalid, at: 17),
        ProxyFaultCase("PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n", .lineEndInvalid),
        ProxyFaultCase("PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r", .lineEndInvalid, at: 32),
        ProxyFaultCase("PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n", .lineMalformed),
        ProxyFaultCase("PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \r\n", .lineMalformed),
        ProxyFaultCase("PROXY TCP4 \r\n", .lineMalformed),
        ProxyFaultCase("PROXY TCP4  1.1.1.1 1.1.1.1 1 1\r\n", .lineMalformed),
        ProxyFaultCase("PROXY TCP4 1.1.1.1  1 1\r\n", .addressInvalid),
        ProxyFaultCase("PROXY TCP4 01.1.1.1 1.1.1.1 1 1\r\n", .addressInvalid),
        ProxyFaultCase("PROXY TCP4 1.1.1 1.1.1.1 1 1\r\n", .addressInvalid),
        ProxyFaultCase("PROXY TCP4 1.1.1.1 1.1.1.256 1 1\r\n", .addressInvalid),
        ProxyFaultCase("PROXY TCP4 ::1 ::1 1 1\r\n", .addressInvalid),
        ProxyFaultCase("PROXY TCP4 ::ffff:1.1.1.1 1.1.1.1 1 1\r\n", .addressInvalid),
        ProxyFaultCase("PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n", .addressInvalid),
        ProxyFaultCase("PROXY TCP6 ::1 1.1.1.1 1 1\r\n", .addressInvalid),
        ProxyFaultCase("PROXY TCP6 ::1%lo ::1 1 1\r\n", .addressInvalid),
        ProxyFaultCase("PROXY TCP6 [::1] ::1 1 1\r\n", .addressInvalid),
        ProxyFaultCase("PROXY TCP4 1.1.1.1\0 1.1.1.1 1 1\r\n", .addressInvalid),
        ProxyFaultCase("PROXY TCP4 1.1.1.1 1.1.1.1  1\r\n", .portInvalid),
        ProxyFaultCase("PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n", .portInvalid),
        ProxyFaultCase("PROXY TCP4 1.1.1.1 1.1.1.1 00 1\r\n", .portInvalid),
        ProxyFaultCase("PROXY TCP4 1.1.1.1 1.1.1.1 65536 1\r\n", .portInvalid),
        ProxyFaultCase("PROXY TCP4 1.1.1.1 1.1.1.1 1 100000\r\n", .portInvalid),
        ProxyFaultCase("PROXY TCP4 1.1.1.1 1.1.1.1 1 +1\r\n", .portInvalid),
        ProxyFaultCase("PROXY TCP4 1.1.1.1 1.1.1.1 1 \r\n", .portInvalid),
        ProxyFaultCase("PROXY TCP4 1.1.1.1 1.1.1.1 1 1\t\r\n", .portInvalid),
        // 108 bytes with the CRLF: one too many, which is certain when 106 came without it.
        ProxyFaultCase(
            "PROXY UNKNOWN " + String(repeating: "x", count: 92) + "\r\n",
            .lineTooLong,
            at: 106
        ),
        ProxyFaultCase("PROXY TCP6 " + String(repeating: "x", count: 500), .lineTooLong, at: 106),

        ProxyFaultCase(header(0x11, 0x11, four), .versionUnsupported, at: 13),
        ProxyFaultCase(header(0x31, 0x11, four), .versionUnsupported, at: 13),
        ProxyFaultCase(header(0x22, 0x11, four), .commandUnknown, at: 13),
        ProxyFaultCase(header(0x2F, 0x11, four), .commandUnknown, at: 13),
        ProxyFaultCase(header(0x21, 0x41, four), .familyUnknown, at: 14),
        ProxyFaultCase(header(0x21, 0xF1, four), .familyUnknown, at: 14),
        ProxyFaultCase(header(0x21, 0x13, four), .familyUnknown, at: 14),
        ProxyFaultCase(header(0x21, 0x1F, four), .familyUnknown, at: 14),
        ProxyFaultCase(header(0x21, 0x11, Array(four.dropLast())), .addressesTruncated, at: 16),
        ProxyFaultCase(header(0x21, 0x11, []), .addressesTruncated, at: 16),
        ProxyFaultCase(header(0x21, 0x21, Array(six.dropLast())), .addressesTruncated, at: 16),
        ProxyFaultCase(header(0x21, 0x31, unixPath("/a") + [1]), .addressesTruncated, at: 16),
        ProxyFaultCase(header(0x21, 0x11, [UInt8](repeating: 0, count: 4081)), .headerTooLarge, at: 16),
        ProxyFaultCase(header(0x20, 0x00, [UInt8](repeating: 0, count: 65535)), .headerTooLarge, at: 16),
        ProxyFaultCase(header(0x21, 0x11, four + [4]), .extensionMalformed),
        ProxyFaultCase(header(0x21, 0x11, four + [4, 0]), .extensionMalformed),
        ProxyFaultCase(header(0x21, 0x11, four + [4, 0, 1]), .extensionMalformed),
        ProxyFaultCase(header(0x21, 0x11, four + bytes("010002 6832 04FFFF 00")), .extensionMalformed),
        ProxyFaultCase(header(0x21, 0x11, four + bytes("030003 1A9B62")), .extensionMalformed),
        ProxyFaultCase(header(0x21, 0x11, four + bytes("030004 00000000 030004 00000000")), .extensionMalformed),
        ProxyFaultCase(header(0x21, 0x11, four + bytes("030004 1A9B6265 010002 6832")), .checksumWrong),
        ProxyFaultCase(header(0x21, 0x11, four + bytes("030004 1A9B6264 010002 6833")), .checksumWrong),
        ProxyFaultCase(header(0x21, 0x11, four + bytes("030004 64629B1A 010002 6832")), .checksumWrong),
    ]

    @Test(arguments: bad)
    func `a header that breaks a rule is refused, as soon as it is sure`(bad: ProxyFaultCase) {
        let bytes = bad.bytes + (bad.bytes.count < bad.knownAt ? Array("GET / HTTP/1.1\r\n".utf8) : [])
        for count in 0...bytes.count {
            let outcome = read(bytes[..<count])
            let expected = count < bad.knownAt ? ProxyProtocol.Outcome.incomplete : .invalid(bad.fault)
            if outcome != expected { Issue.record("the first \(count) bytes are \(outcome), not \(expected)") }
        }
    }

    @Test(arguments: [
        ("G", 1), ("GET / HTTP/1.1\r\n", 1), ("PRI * HTTP/2.0\r\n", 3), ("POST / HTTP/1.1\r\n", 2), ("proxy TCP4 ", 1),
        ("PROXY\tTCP4 ", 6), ("PROXYTCP4", 6), (" PROXY TCP4", 1), ("\r\nGET /", 3), ("\r\n\r\nGET", 5),
        ("\r\n\r\n\0\r\nQUIT\r", 12), ("\n", 1), ("\0", 1), ("\u{16}\u{3}\u{1}", 1),
    ])
    func `other bytes are no PROXY protocol, from the first that differs`(text: String, knownAt: Int) {
        let bytes = Array(text.utf8)
        for count in 0...bytes.count {
            let outcome = read(bytes[..<count])
            #expect(outcome == (count < knownAt ? .incomplete : .notProxy), "the first \(count) bytes")
        }
    }

    @Test func `no outcome but incomplete changes with what follows`() {
        var random = SeededGenerator(seed: 7)
        var seen: Set<String> = []
        for round in 0..<20_000 {
            var bytes = Self.good[round % Self.good.count].bytes
            if bytes.count > 600 { continue }
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                bytes[index] =
                    Bool.random(using: &random) ? UInt8.random(in: 0...255, using: &random) : bytes[index] ^ 1
            }
            var last = ProxyProtocol.Outcome.incomplete
            for count in 0...bytes.count {
                let outcome = read(bytes[..<count])
                if last != .incomplete, outcome != last { Issue.record("\(last) becomes \(outcome): \(bytes)") }
                last = outcome
            }
            seen.insert(String("\(last)".prefix { $0 != "(" }))
        }
        #expect(seen == ["incomplete", "complete", "notProxy", "invalid"])
    }

    @Test func `a header tells who the client is`() {
        let proxied = ProxyHeader(byteCount: 28, origin: fourOrigin)
        #expect(proxied.source == .ipv4(0xC000_0221, port: 51234))
        #expect(proxied.destination == .ipv4(0xCB00_7107, port: 443))
        #expect(!proxied.isLocal)
        let local = ProxyHeader(byteCount: 16, origin: .local)
        #expect(local.source == nil && local.destination == nil && local.isLocal)
        let unknown = ProxyHeader(byteCount: 16, origin: .unknown)
        #expect(unknown.source == nil && unknown.destination == nil && !unknown.isLocal)
    }

    @Test(arguments: ProxyFault.allCases)
    func `each fault has a line of its own`(fault: ProxyFault) {
        let others = ProxyFault.allCases.filter { $0 != fault }.map(\.description)
        #expect(!fault.description.isEmpty && !others.contains(fault.description))
    }
}
