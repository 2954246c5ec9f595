// SPDX-License-Identifier: Apache-2.0
// YAML and JSON texts as trees, with the place of every node.

import Testing
import WeirDocument
import WeirTestSupport
import WeirYAML

@Suite struct YAMLReaderTests {
    /// The tree in one line: texts between quotes unless they are plain.
    private static func outline(_ node: DocumentNode) -> String {
        switch node.content {
        case .scalar(let text, let isPlain): isPlain ? text : "\"\(text)\""
        case .sequence(let items): "[" + items.map(outline).joined(separator: ", ") + "]"
        case .mapping(let entries):
            "{" + entries.map { "\($0.key): \(outline($0.value))" }.joined(separator: ", ") + "}"
        }
    }

    private static func read(_ text: String) throws -> DocumentNode? { try YAMLReader.read(Array(text.utf8)) }

    @Test(arguments: [
        ("a: 1", "{a: 1}"),
        ("a: {b: [c, 'd', \"e\"]}\n", "{a: {b: [c, \"d\", \"e\"]}}"),
        ("b: 1\na: 2\n", "{b: 1, a: 2}"),
        ("- a\n-\n  - b\n- c: d\n", "[a, [b], {c: d}]"),
        (#"{"a": [1, true, null, "x\u0041\n"]}"#, "{a: [1, true, null, \"xA\n\"]}"),
        ("text: |\n  two\n  lines\n", "{text: \"two\nlines\n\"}"),
        ("text: >-\n  one\n  line\n", "{text: \"one line\"}"),
        ("%YAML 1.1\n---\na: b\n...\n", "{a: b}"),
        ("\u{FEFF}a: ü", "{a: ü}"),
        ("a: &x [1, 2]\nb: *x\nc: *x\n", "{a: [1, 2], b: [1, 2], c: [1, 2]}"),
        ("a: &x 1\nb: &x 2\nc: *x", "{a: 1, b: 2, c: 2}"),
        ("&k a: 1\nb: *k", "{a: 1, b: a}"),
        (#"a: "zero\0inside""#, "{a: \"zero\0inside\"}"),
        ("a:\r\n  b: 1\r\n", "{a: {b: 1}}"),
        ("'<<': 1", "{<<: 1}"),
        ("just text", "just text"),
    ])
    func `a text becomes its tree`(text: String, outline: String) throws {
        #expect(try Self.read(text).map(Self.outline) == outline)
    }

    @Test(arguments: ["", "\n\n", "# a comment\n", "\u{FEFF}"])
    func `a text without a document has no tree`(text: String) throws {
        #expect(try Self.read(text) == nil)
    }

    @Test func `every node knows its line and column, in characters`() throws {
        let root = try #require(try Self.read("# ü\nroutes:\n  - {ü: é, b: 2}\n"))
        let item = try #require(root["routes"]?[0])
        guard case .mapping(let entries) = item.content else { throw Unexpected() }
        #expect(root.position == TextPosition(line: 2, column: 1))
        #expect(item.position == TextPosition(line: 3, column: 5))
        #expect(entries[1].keyPosition == TextPosition(line: 3, column: 12))
        #expect(entries[1].value.position == TextPosition(line: 3, column: 15))
    }

    @Test(arguments: [
        ("a:", true), ("a: ~", true), ("a: null", true), ("a: ''", false), ("a: 'null'", false), ("a: []", false),
    ])
    func `nothing is nothing only without quotes`(text: String, isNull: Bool) throws {
        #expect(try Self.read(text)?["a"]?.isNull == isNull)
    }

    @Test(arguments: [
        ("a: 1\na: 2", 2, 1, #""a" stands in this mapping already, on line 1"#),
        ("a: {b: 1, \"b\": 2}", 1, 11, #""b" stands in this mapping already, on line 1"#),
        ("a: 1\n---\nb: 2", 2, 1, "a second document begins here; a file holds one"),
        ("a: *x", 1, 4, "no anchor &x stands before this alias"),
        ("a: &x [*x]", 1, 8, "no anchor &x stands before this alias"),
        ("a: &x {b: 1}\nc: {<<: *x}", 2, 5, "merge keys (<<) are not supported; write the fields out"),
        ("a: !!int 3", 1, 4, "tags such as tag:yaml.org,2002:int are not supported; leave it out"),
        ("a: !x [3]", 1, 4, "tags such as !x are not supported; leave it out"),
        ("[a]: b", 1, 1, "a key must be a text"),
        ("? {a: b}\n: c", 1, 3, "a key must be a text"),
        ("a:\n\tb: 1", 2, 1, "a tab cannot stand here; indent with spaces"),
        ("a: \u{1}", 1, 4, "not UTF-8 text without control characters"),
        (
            "a: 1\nb: [1, 2", 3, 1,
            "did not find expected ',' or ']' while parsing a flow sequence that begins on line 2"
        ),
        ("a: 1\n b: 2", 2, 3, "mapping values are not allowed in this context"),
        ("a: \"open", 1, 9, "found unexpected end of stream while scanning a quoted scalar that begins on line 1"),
        ("a: b: c", 1, 5, "mapping values are not allowed in this context"),
        (
            "@", 1, 1,
            "found character that cannot start any token while scanning for the next token that begins on line 1"
        ),
    ])
    func `a fault says where and what`(text: String, line: Int, column: Int, reason: String) {
        let fault = #expect(throws: YAMLFault.self) { try Self.read(text) }
        #expect(fault?.position == TextPosition(line: line, column: column))
        #expect(fault?.description == reason)
    }

    @Test(arguments: [
        ([0x61, 0x3A, 0x20, 0xFF], 1, 4), ([0x0A, 0x61, 0x3A, 0x20, 0xC3, 0x28], 2, 5),
        ([0xFF, 0xFE, 0x61, 0x00], 1, 1),
        ([0x61, 0x3A, 0x20, 0xED, 0xA0, 0x80], 1, 4), ([0x61, 0x3A, 0x20, 0x00], 1, 4),
    ])
    func `what is not UTF-8 is refused where it stands`(bytes: [UInt8], line: Int, column: Int) {
        let fault = #expect(throws: YAMLFault.self) { try YAMLReader.read(bytes) }
        #expect(fault?.reason == .notUTF8)
        #expect(fault?.position == TextPosition(line: line, column: column))
    }

    @Test func `a file may be as large as the limit, and no larger`() throws {
        let comment = [UInt8](repeating: UInt8(ascii: "#"), count: YAMLReader.bytesMax)
        #expect(try YAMLReader.read(comment) == nil)
        let fault = #expect(throws: YAMLFault.self) { try YAMLReader.read(comment + comment.prefix(1)) }
        #expect(fault?.reason == .tooLarge)
    }

    @Test func `nesting ends at the limit, also through an alias`() throws {
        let lists = { (depth: Int) in String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
        #expect(try Self.read(lists(64)) != nil)
        #expect(throws: YAMLFault.self) { try Self.read(lists(65)) }
        #expect(throws: YAMLFault.self) { try Self.read(String(repeating: "[", count: 1_000_000)) }
        #expect(
            try Self.read(
                "- &x \(lists(32))\n- \(String(repeating: "[", count: 31))*x\(String(repeating: "]", count: 31))"
            ) != nil
        )
        let fault = #expect(throws: YAMLFault.self) {
            try Self.read(
                "- &x \(lists(32))\n- \(String(repeating: "[", count: 32))*x\(String(repeating: "]", count: 32))"
            )
        }
        #expect(fault?.reason == .tooDeep)
    }

    @Test func `aliases count as what they repeat`() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let aliases = [String](repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        let fault = #expect(throws: YAMLFault.self) { try Self.read(text) }
        #expect(fault?.reason == .tooManyNodes)
    }

    @Test func `the most values are accepted, and one more is not`() throws {
        // The list is a value too.
        let items = { (count: Int) in "[" + String(repeating: "1,", count: count) + "]" }
        #expect(try Self.read(items(YAMLReader.nodesMax - 1)) != nil)
        let fault = #expect(throws: YAMLFault.self) { try Self.read(items(YAMLReader.nodesMax)) }
        #expect(fault?.reason == .tooManyNodes)
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `a text with a few wrong bytes is a tree or one fault`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let text = Array("a: &x {b: [1, \"two\", 'three'], c: |\n  text\n}\nd: *x\n? e\n: !t f\n".utf8)
        for _ in 0..<50 {
            var mutated = text
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: mutated.indices, using: &random)
                mutated[place] = UInt8.random(in: 0...255, using: &random)
            }
            do throws(YAMLFault) {
                _ = try YAMLReader.read(mutated)
            } catch {
                #expect(error.position.line >= 1 && error.position.column >= 1)
                #expect(!error.description.isEmpty)
            }
        }
    }
}

private struct Unexpected: Error {}
