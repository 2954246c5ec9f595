// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP

/// A node with its text, so that tables need no offsets.
enum NamedNode: Equatable, Sendable {
    case address(String, UInt16?)
    case unknown
    case obfuscated(String)
    case invalid(String)

    init(_ node: ForwardedNode, _ bytes: [UInt8]) {
        func text(_ range: ByteRange) -> String { String(decoding: bytes[range.bounds], as: UTF8.self) }
        self =
            switch node {
            case .address(let range, let port): .address(text(range), port)
            case .unknown: .unknown
            case .obfuscated(let range): .obfuscated(text(range))
            case .invalid(let range): .invalid(text(range))
            }
    }
}

@Suite("ForwardedForIterator") struct ForwardedForIteratorTests {
    /// The elements of a value, which stands between other bytes.
    private func nodes(_ value: String) -> [NamedNode] {
        let bytes = Array("a,\(value),b".utf8)
        var iterator = ForwardedForIterator(ByteRange(2, bytes.count - 2))
        var nodes: [NamedNode] = []
        while let node = iterator.next(bytes.span) { nodes.append(NamedNode(node, bytes)) }
        #expect(iterator.next(bytes.span) == nil)
        return nodes
    }

    static let lists: [(value: String, nodes: [NamedNode])] = [
        ("", []), (" ", []), (",", []), (" , ,\t,", []),
        ("192.0.2.43", [.address("192.0.2.43", nil)]),
        ("1.1.1.1, 2.2.2.2,3.3.3.3", [.address("3.3.3.3", nil), .address("2.2.2.2", nil), .address("1.1.1.1", nil)]),
        (", 1.1.1.1 ,,\t2.2.2.2\t,", [.address("2.2.2.2", nil), .address("1.1.1.1", nil)]),
        ("192.0.2.43:4711", [.address("192.0.2.43", 4711)]),
        ("192.0.2.43:0", [.address("192.0.2.43", 0)]), ("192.0.2.43:65535", [.address("192.0.2.43", 65535)]),
        ("2001:db8::1", [.address("2001:db8::1", nil)]), ("::", [.address("::", nil)]),
        ("::ffff:192.0.2.43", [.address("::ffff:192.0.2.43", nil)]),
        ("[2001:db8::1]", [.address("2001:db8::1", nil)]), ("[2001:DB8::1]:80", [.address("2001:DB8::1", 80)]),
        ("\"192.0.2.43\"", [.address("192.0.2.43", nil)]), ("\"[::1]:80\"", [.address("::1", 80)]),
        ("unknown, UnKnown", [.unknown, .unknown]),
        ("_hidden, _a.b-c_1:_p", [.obfuscated("_a.b-c_1"), .obfuscated("_hidden")]),
        // An address by its looks; whoever reads it as one refuses it.
        ("1.2.3", [.address("1.2.3", nil)]), ("999.1.1.1", [.address("999.1.1.1", nil)]), ("[.]", [.address(".", nil)]),
        ("192.0.2.43:", [.invalid("192.0.2.43:")]), ("192.0.2.43:65536", [.invalid("192.0.2.43:65536")]),
        ("192.0.2.43:100000", [.invalid("192.0.2.43:100000")]), ("192.0.2.43:a", [.invalid("192.0.2.43:a")]),
        ("192.0.2.43:+1", [.invalid("192.0.2.43:+1")]), (":80", [.invalid(":80")]), ("[::1", [.invalid("[::1")]),
        ("[]", [.invalid("[]")]), ("[::1]80", [.invalid("[::1]80")]), ("[::1]:", [.invalid("[::1]:")]),
        ("[::1%eth0]", [.invalid("[::1%eth0]")]), ("::1]", [.invalid("::1]")]),
        ("example.com", [.invalid("example.com")]),
        ("1.1.1.1 2.2.2.2", [.invalid("1.1.1.1 2.2.2.2")]), ("_", [.invalid("_")]), ("_a~", [.invalid("_a~")]),
        ("\"", [.invalid("\"")]), ("\"\"", [.invalid("")]), ("\u{e9}", [.invalid("\u{e9}")]),
        // A quote that a client left open takes nothing from what a proxy wrote behind it.
        ("\"evil, 1.1.1.1", [.address("1.1.1.1", nil), .invalid("\"evil")]),
        ("for=1.1.1.1", [.invalid("for=1.1.1.1")]),
    ]

    @Test("A list is read from its end", arguments: lists)
    func list(value: String, expected: [NamedNode]) {
        #expect(nodes(value) == expected)
    }
}
