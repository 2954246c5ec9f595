// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP

@Suite("RequestParser look-up") struct RequestParserLookupTests {
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
        let first = parser.firstField(.accept)
        let places = [
            parser.indexOfField(.accept), parser.indexOfField(.accept, from: 2), parser.indexOfField(.accept, from: 4),
            parser.indexOfField(.cookie), parser.indexOfField(.other),
        ]
        #expect(first.map { text(Self.bytes, $0.value) } == "1")
        #expect(places == [1, 3, nil, nil, nil])
        let present = [parser.hasField(.host), parser.hasField(.cookie), parser.hasField(.other)]
        #expect(present == [true, false, false])
    }

    @Test("Any name finds its fields in any case, and no other")
    func named() {
        let parser = parsed()
        let name = Array("X-oNe".utf8)
        let literal = parser.firstField(named: "x-one", in: Self.bytes.span)
        let span = parser.firstField(named: name.span, in: Self.bytes.span)
        #expect(literal == parser.field(2))
        #expect(span == literal)
        let places = [
            parser.indexOfField(named: name.span, in: Self.bytes.span, from: 3),
            parser.indexOfField(named: name.span, in: Self.bytes.span, from: 5),
        ]
        #expect(places == [4, nil])
        let missing = parser.firstField(named: "x-on", in: Self.bytes.span)
        #expect(missing == nil)
    }
}
