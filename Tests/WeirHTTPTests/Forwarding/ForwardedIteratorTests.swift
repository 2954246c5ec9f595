// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP
import WeirTestSupport

/// An element with its texts, so that tables need no offsets.
struct NamedElement: Equatable, Sendable {
    var source: NamedNode?
    var by: NamedNode?
    var proto: String?
    var host: String?
}

@Suite("ForwardedIterator") struct ForwardedIteratorTests {
    /// The elements of a value, which stands between other bytes; nil for a malformed one.
    private func elements(_ value: String) -> [NamedElement?] {
        let bytes = Array("\"\(value)\"".utf8)
        var iterator = ForwardedIterator(ByteRange(1, bytes.count - 1))
        var elements: [NamedElement?] = []
        while let step = iterator.next(bytes.span) {
            switch step {
            case .malformed:
                elements.append(nil)
                #expect(iterator.next(bytes.span) == nil)
            case .element(let element):
                func text(_ range: ByteRange) -> String { String(decoding: bytes[range.bounds], as: UTF8.self) }
                elements.append(
                    NamedElement(
                        source: element.source.map { NamedNode($0, bytes) },
                        by: element.by.map { NamedNode($0, bytes) },
                        proto: element.proto.map(text),
                        host: element.host.map(text)
                    )
                )
            }
        }
        return elements
    }

    private static func source(_ address: String, _ port: UInt16? = nil) -> NamedElement {
        NamedElement(source: .address(address, port))
    }

    static let lists: [(value: String, elements: [NamedElement?])] = [
        ("", []), (" , ,", []),
        // The examples of RFC 7239 section 4.
        ("for=\"_gazonk\"", [NamedElement(source: .obfuscated("_gazonk"))]),
        ("For=\"[2001:db8:cafe::17]:4711\"", [source("2001:db8:cafe::17", 4711)]),
        (
            "for=192.0.2.60;proto=http;by=203.0.113.43",
            [NamedElement(source: .address("192.0.2.60", nil), by: .address("203.0.113.43", nil), proto: "http")]
        ),
        ("for=192.0.2.43, for=198.51.100.17", [source("198.51.100.17"), source("192.0.2.43")]),
        (
            "for=192.0.2.43,for=\"[2001:db8:cafe::17]\",for=unknown",
            [NamedElement(source: .unknown), source("2001:db8:cafe::17"), source("192.0.2.43")]
        ),
        // Section 7.4, and names of parameters in any case.
        (
            "FOR=_hidden, for=_SEVKISEK;HOST=example.com:8080;Proto=https",
            [nil]
        ),
        (
            "FOR=_hidden, for=_SEVKISEK;HOST=\"example.com:8080\";Proto=https",
            [
                NamedElement(source: .obfuscated("_SEVKISEK"), proto: "https", host: "example.com:8080"),
                NamedElement(source: .obfuscated("_hidden")),
            ]
        ),
        ("for=\"192.0.2.43:47011\"", [source("192.0.2.43", 47011)]),
        ("for=\"[::1]:_port\"", [source("::1", nil)]),
        ("host=a", [NamedElement(host: "a")]), ("for=1.1.1.1;", [source("1.1.1.1")]), (";", [NamedElement()]),
        ("for=1.1.1.1 ; proto=http", [NamedElement(source: .address("1.1.1.1", nil), proto: "http")]),
        ("secret=\"a,b;for=x\";for=1.1.1.1,for=2.2.2.2", [source("2.2.2.2"), source("1.1.1.1")]),
        ("a=\"\\\"\";for=1.1.1.1", [source("1.1.1.1")]),
        ("a=\"\\\\\", for=1.1.1.1", [source("1.1.1.1"), NamedElement()]),
        ("a=\"x\\\\\\\",\", for=1.1.1.1", [source("1.1.1.1"), NamedElement()]),
        ("host=\"\"", [NamedElement(host: "")]), ("host=\"a\\b\"", [NamedElement(host: "")]),
        ("for=\"1.1.1.1\\ \"", [NamedElement(source: .invalid("1.1.1.1\\ "))]),
        // IPv6 without quotes is no token, without brackets no node.
        ("for=[::1]", [nil]), ("for=\"2001:db8::1\"", [NamedElement(source: .invalid("2001:db8::1"))]),
        ("for=example.com", [NamedElement(source: .invalid("example.com"))]),
        ("for=1.1.1.1;for=2.2.2.2", [nil]), ("proto=a;PROTO=b", [nil]), ("by=_a;by=_b", [nil]),
        ("host=a;host=a", [nil]),
        ("a=1;a=2", [NamedElement()]),
        ("for", [nil]), ("for=", [nil]), ("=a", [nil]), ("for =1.1.1.1", [nil]), ("for= 1.1.1.1", [nil]),
        ("for=1.1.1.1 proto=http", [nil]), ("for=\"1.1.1.1", [nil]), ("for=1.1.1.1\"", [nil]), ("\"", [nil]),
        ("for=\"1.1.1.1\"x", [nil]), ("for=a b", [nil]), ("1.1.1.1", [nil]), ("a=\"\\\"", [nil]),
        // What a client left unfinished takes nothing from what a proxy wrote behind it.
        ("for=\"evil, for=1.1.1.1", [source("1.1.1.1"), nil]),
        ("for=\"evil, for=\"[::1]\"", [source("::1"), nil]),
        ("for=\"evil\\, for=\"[::1]\";host=\"a,b\"", [NamedElement(source: .address("::1", nil), host: "a,b"), nil]),
        ("evil\", for=1.1.1.1", [source("1.1.1.1"), nil]),
    ]

    @Test("A list is read from its end, as far as it can be read", arguments: lists)
    func list(value: String, expected: [NamedElement?]) {
        #expect(elements(value) == expected)
    }

    /// Cuts a list as RFC 9110 sections 5.6.1 and 5.6.4 say, from the left.
    private func cutFromLeft(_ value: String) -> [String] {
        var parts = [""]
        var isQuoted = false
        var isEscaped = false
        for character in value {
            if character == ",", !isQuoted {
                parts.append("")
                continue
            }
            parts[parts.count - 1].append(character)
            if isEscaped {
                isEscaped = false
            } else if isQuoted, character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            }
        }
        return parts
    }

    @Test("A list that is right is cut at the same commas from either end")
    func eitherEnd() {
        var random = SeededGenerator(seed: 3)
        let pieces = [",", "\\\\", "\\\"", ";", "a", "=", " ", "\\,"]
        for _ in 0..<5000 {
            let list = (0..<Int.random(in: 1...5, using: &random)).map { index in
                let text = (0..<Int.random(in: 0...6, using: &random)).map { _ in
                    pieces.randomElement(using: &random) ?? ""
                }
                return "x=\"\(text.joined())\";host=h\(index)"
            }
            let value = list.joined(separator: ",")
            #expect(cutFromLeft(value) == list)
            #expect(elements(value) == list.indices.reversed().map { NamedElement(host: "h\($0)") }, "\(value)")
        }
    }
}
