// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP
import WeirTestSupport

@Suite("HeadWriter") struct HeadWriterTests {
    /// What `body` writes into so many bytes, and whether they were enough. The memory behind those stays as it is.
    private func written(
        capacity: Int = 512,
        _ body: (inout HeadWriter) -> Void
    ) -> (text: String, overflowed: Bool) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity + 64, alignment: 8)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0xAA)
        var writer = HeadWriter(UnsafeMutableRawBufferPointer(rebasing: memory[..<capacity]))
        body(&writer)
        #expect(memory[capacity...].allSatisfy { $0 == 0xAA })
        #expect(writer.count + writer.freeCount == capacity)
        return (String(decoding: memory[..<writer.count], as: UTF8.self), writer.overflowed)
    }

    private func wholeHead(_ writer: inout HeadWriter) {
        writer.statusLine(200)
        writer.date(HTTPDate.text(unixSeconds: 784_111_777).span)
        writer.field("Content-Length", integer: 0)
        writer.field("Server", "weir")
        writer.field(name: Array("X-A".utf8).span, value: Array("b c".utf8).span)
        writer.field("X-B", value: Array("d".utf8).span)
        writer.end()
    }

    static let head =
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n"
        + "Server: weir\r\nX-A: b c\r\nX-B: d\r\n\r\n"

    @Test("A head comes out as it is written")
    func wholeHead() {
        let result = written(wholeHead)
        #expect(result.text == Self.head)
        #expect(!result.overflowed)
    }

    @Test("Memory that is too small holds a beginning of the head, and says so", arguments: 0...head.utf8.count)
    func smallMemory(capacity: Int) {
        let result = written(capacity: capacity, wholeHead)
        #expect(Self.head.hasPrefix(result.text))
        #expect(result.overflowed == (capacity < Self.head.utf8.count))
    }

    @Test("The fields of a received head go on as they came, all of a run or nothing")
    func forward() {
        let bytes = Array(
            "HTTP/1.1 200 OK\r\nA:  b \r\nDate: now\r\nConnection: x-y\r\nX-Y: z\r\nVia:v\r\n\r\nbody".utf8
        )
        var parser = ResponseParser(limits: HTTPLimits())
        let outcome = parser.parse(bytes.span, answering: .get)
        #expect(outcome == .complete)
        var results: [String] = []
        for capacity in [20, 13, 12, 7] {
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 8)
            defer { memory.deallocate() }
            var writer = HeadWriter(memory)
            writer.forward(parser.fields, in: bytes.span, omitting: HeaderNameSet(.date, .server))
            results.append("\(writer.overflowed) \(String(decoding: memory[..<writer.count], as: UTF8.self))")
        }
        let first = "A:  b \r\n"
        #expect(results == ["false \(first)Via:v\r\n", "true \(first)", "true \(first)", "true "])
    }

    @Test(
        "A status line has the status and its reason",
        arguments: [
            (100, "HTTP/1.1 100 Continue"), (101, "HTTP/1.1 101 Switching Protocols"),
            (204, "HTTP/1.1 204 No Content"), (304, "HTTP/1.1 304 Not Modified"),
            (404, "HTTP/1.1 404 Not Found"), (431, "HTTP/1.1 431 Request Header Fields Too Large"),
            (503, "HTTP/1.1 503 Service Unavailable"), (299, "HTTP/1.1 299 "), (999, "HTTP/1.1 999 "),
        ]
    )
    func statusLine(status: Int, expected: String) {
        #expect(written { $0.statusLine(status) }.text == expected + "\r\n")
    }

    @Test("Every status line carries its own status", arguments: 100...999)
    func everyStatus(status: Int) {
        let text = written { $0.statusLine(status) }.text
        #expect(text.hasPrefix("HTTP/1.1 \(status) "))
        #expect(text.hasSuffix("\r\n"))
    }

    @Test("Numbers have no leading zeros", arguments: [0, 1, 9, 10, 15, 16, 255, 4096, 1_234_567_890, UInt64.max])
    func numbers(value: UInt64) {
        #expect(written { $0.decimal(value) }.text == String(value))
        #expect(written { $0.hexadecimal(value) }.text == String(value, radix: 16))
        #expect(written { $0.field("A", integer: value) }.text == "A: \(value)\r\n")
    }

    @Test("Decimal numbers of each length, in ample room, in just enough, and in a byte less")
    func decimals() {
        var random = SeededGenerator(seed: 11)
        let powers = (0..<20 as Range<Int>).map { (0..<$0).reduce(1 as UInt64) { power, _ in power * 10 } }
        let edges = powers.flatMap { [$0 - 1, $0, $0 + 1, $0 / 2 * 3] }
        let others = (0..<20_000 as Range<Int>).map { _ in
            random.next() >> UInt64.random(in: 0..<64, using: &random)
        }
        for value in Array(0...10_000) + edges + others {
            let digits = String(value)
            #expect(written { $0.decimal(value) }.text == digits)
            let exact = written(capacity: digits.utf8.count) { $0.decimal(value) }
            #expect(exact.text == digits && !exact.overflowed)
            let short = written(capacity: digits.utf8.count - 1) { $0.decimal(value) }
            #expect(short.text.isEmpty && short.overflowed)
        }
    }

    @Test("Digits of fixed number: all values of each digit, at each place")
    func fixedHexadecimal() {
        for digit in 0..<16 as Range<UInt64> {
            for place in 0..<16 as Range<UInt64> {
                let value = digit << (4 * place)
                let digits = String(value, radix: 16)
                let expected = String(repeating: "0", count: 16 - digits.count) + digits
                #expect(written { $0.fixedHexadecimal(value) }.text == expected)
            }
        }
        for value in UInt8.min...UInt8.max {
            let digits = String(value, radix: 16)
            #expect(written { $0.fixedHexadecimal(value) }.text == (value < 16 ? "0" : "") + digits)
        }
    }

    @Test(
        "A field that would split the response is not written",
        arguments: [
            ("A", "b\r\nSet-Cookie: x"), ("A", "b\n"), ("A", "\r"), ("A", "b\0"), ("A", "b\u{7f}"), ("A", "\u{b}"),
            ("A: b\r\nC", "d"), ("A ", "b"), ("", "b"), ("A:", "b"), ("\u{e9}", "b"), ("A", "0123456789abcdef\n"),
        ]
    )
    func splitting(name: String, value: String) {
        var accepted = [true, true]
        let result = written { writer in
            accepted[0] = writer.field(name: Array(name.utf8).span, value: Array(value.utf8).span)
            if name == "A" {
                accepted[1] = writer.field("A", value: Array(value.utf8).span)
            } else {
                accepted[1] = false
            }
        }
        #expect(accepted == [false, false])
        #expect(result.text.isEmpty)
        #expect(!result.overflowed)
    }

    @Test("Values may be empty, hold tabs and bytes from 0x80", arguments: ["", "a", "a\tb", "\u{e9}", " a "])
    func values(value: String) {
        let result = written { $0.field(name: Array("A".utf8).span, value: Array(value.utf8).span) }
        #expect(result.text == "A: \(value)\r\n")
    }
}
