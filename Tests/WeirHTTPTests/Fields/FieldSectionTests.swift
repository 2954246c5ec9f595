// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP

@Suite("FieldSection") struct FieldSectionTests {
    static let bytes = Array(
        "GET / HTTP/1.1\r\nHost: h\r\nAccept: 1\r\nX-One: 2\r\nACCEPT: 3\r\nx-one: 4\r\nx_one: 5\r\n\r\n".utf8
    )

    private func parsed() -> RequestParser {
        var parser = RequestParser(limits: HTTPLimits())
        let outcome = parser.parse(Self.bytes.span)
        #expect(outcome == .complete)
        return parser
    }

    @Test("A known name finds its fields in order")
    func known() {
        let parser = parsed()
        let first = parser.fields.first(.accept)
        let places = [
            parser.fields.index(of: .accept), parser.fields.index(of: .accept, from: 2),
            parser.fields.index(of: .accept, from: 4),
            parser.fields.index(of: .cookie), parser.fields.index(of: .other),
        ]
        #expect(first.map { text(Self.bytes, $0.value) } == "1")
        #expect(places == [1, 3, nil, nil, nil])
        let present = [parser.fields.has(.host), parser.fields.has(.cookie), parser.fields.has(.other)]
        #expect(present == [true, false, false])
    }

    @Test("Any name finds its fields in any case, and no other")
    func named() {
        let parser = parsed()
        let name = Array("X-oNe".utf8)
        let literal = parser.fields.first(named: "x-one", in: Self.bytes.span)
        let span = parser.fields.first(named: name.span, in: Self.bytes.span)
        #expect(literal == parser.fields.field(2))
        #expect(span == literal)
        let places = [
            parser.fields.index(named: name.span, in: Self.bytes.span, from: 3),
            parser.fields.index(named: name.span, in: Self.bytes.span, from: 5),
        ]
        #expect(places == [4, nil])
        let missing = parser.fields.first(named: "x-on", in: Self.bytes.span)
        #expect(missing == nil)
    }
}
