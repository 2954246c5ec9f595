// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP
import WeirTestSupport

/// A response that is right, and what is in it.
struct GoodResponse: CustomTestStringConvertible, Sendable {
    let response: String
    let method: HTTPMethod
    let summary: String

    init(_ response: String, answering method: HTTPMethod = .get, _ summary: String) {
        self.response = response
        self.method = method
        self.summary = summary
    }

    /// This status line, in the answer to GET, with nothing but `Content-Length: 0`.
    static func line(_ line: String, _ summary: String) -> GoodResponse {
        GoodResponse("\(line)\r\nContent-Length: 0\r\n\r\n", summary)
    }

    /// A response with this status and these lines.
    static func fields(
        _ status: Int,
        _ lines: String,
        answering method: HTTPMethod = .get,
        _ summary: String
    ) -> GoodResponse {
        GoodResponse("HTTP/1.1 \(status) \r\n\(lines)\r\n\r\n", answering: method, "\(status) 1.1 " + summary)
    }

    var testDescription: String { "\(method) \(response.debugDescription)" }
}

@Suite("ResponseParser") struct ResponseParserTests {
    static let statusLines = [
        GoodResponse.line("HTTP/1.1 200 OK", "200 1.1 (OK) says=0 length=0 keeps"),
        .line("HTTP/1.1 200 ", "200 1.1 says=0 length=0 keeps"),
        .line("HTTP/1.1 200", "200 1.1 says=0 length=0 keeps"),
        .line("HTTP/1.1 200  two  spaces ", "200 1.1 ( two  spaces ) says=0 length=0 keeps"),
        .line("HTTP/1.1 404 Nicht\tgef\u{fc}nden", "404 1.1 (Nicht\tgef\u{fc}nden) says=0 length=0 keeps"),
        .line("HTTP/1.0 200 OK", "200 1.0 (OK) says=0 length=0"),
        .line("HTTP/1.2 200 OK", "200 1.1 (OK) says=0 length=0 keeps"),
        .line("HTTP/1.9 200 OK", "200 1.1 (OK) says=0 length=0 keeps"),
        .line("HTTP/1.1 599 200", "599 1.1 (200) says=0 length=0 keeps"),
        .line("HTTP/1.1 100 Continue", "100 1.1 (Continue) says=0 interim keeps"),
        .line("HTTP/1.1 299 ?", "299 1.1 (?) says=0 length=0 keeps"),
    ]

    static let framings = [
        GoodResponse.fields(200, "X: y", "untilClose"),
        GoodResponse("HTTP/1.1 200\r\n\r\n", "200 1.1 untilClose"),
        GoodResponse("HTTP/1.0 200 OK\r\n\r\n", "200 1.0 (OK) untilClose"),
        GoodResponse("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", "200 1.0 (OK) untilClose"),
        GoodResponse(
            "HTTP/1.0 200\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\n",
            "200 1.0 says=1 length=1 keeps"
        ),
        .fields(200, "Content-Length: 5", "says=5 length=5 keeps"),
        .fields(200, "CONTENT-length:\t 007 ", "says=7 length=7 keeps"),
        .fields(
            200,
            "Content-Length: 9223372036854775807",
            "says=9223372036854775807 length=9223372036854775807 keeps"
        ),
        .fields(200, "Transfer-Encoding: chunked", "chunked keeps"),
        .fields(200, "transfer-encoding:Chunked", "chunked keeps"),
        .fields(206, "Content-Length: 5", "says=5 length=5 keeps"),
        .fields(205, "X: y", "untilClose"),
        .fields(205, "Content-Length: 0", "says=0 length=0 keeps"),
        .fields(500, "Transfer-Encoding: chunked", "chunked keeps"),
        // No body, whatever the fields say.
        .fields(200, "Content-Length: 5", answering: .head, "says=5 keeps"),
        .fields(200, "Transfer-Encoding: chunked", answering: .head, "keeps"),
        .fields(200, "X: y", answering: .head, "keeps"),
        .fields(200, "Connection: close", answering: .head, "").trimmed,
        .fields(304, "Content-Length: 5", "says=5 keeps"),
        .fields(304, "Transfer-Encoding: chunked", "keeps"),
        .fields(304, "X: y", "keeps"),
        .fields(204, "X: y", "keeps"),
        .fields(204, "Content-Length: 0", "says=0 keeps"),
        .fields(204, "Content-Length: 00", answering: .delete, "says=0 keeps"),
        .fields(100, "X: y", "interim keeps"),
        .fields(103, "Link: </a>", "interim keeps"),
        .fields(103, "Connection: close", "interim"),
        .fields(199, "Content-Length: 0", answering: .head, "says=0 interim keeps"),
        // No more HTTP.
        .fields(101, "Connection: Upgrade\r\nUpgrade: websocket", "tunnel upgrade"),
        .fields(101, "Upgrade: x\r\nConnection: keep-alive, upgrade", answering: .head, "tunnel upgrade"),
        .fields(200, "X: y", answering: .connect, "tunnel"),
        .fields(299, "Content-Length: 5", answering: .connect, "says=5 tunnel"),
        .fields(200, "Transfer-Encoding: chunked", answering: .connect, "tunnel"),
        .fields(407, "Content-Length: 5", answering: .connect, "says=5 length=5 keeps"),
    ]

    static let connections = [
        GoodResponse.fields(200, "Content-Length: 5\r\nConnection: close", "says=5 length=5"),
        .fields(200, "Content-Length: 5\r\nConnection: cLOSE", "says=5 length=5"),
        .fields(200, "Transfer-Encoding: chunked\r\nConnection: keep-alive, close", "chunked"),
        .fields(200, "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\nConnection: close", "chunked"),
        .fields(200, "Transfer-Encoding: chunked\r\nConnection: closed, x", "chunked keeps"),
        .fields(200, "Transfer-Encoding: chunked\r\nProxy-Connection: close", "chunked keeps"),
        .fields(426, "Content-Length: 0\r\nConnection: upgrade\r\nUpgrade: h2", "says=0 length=0 keeps upgrade"),
        .fields(200, "Content-Length: 0\r\nUpgrade: h2", "says=0 length=0 keeps"),
        .fields(200, "Content-Length: 0\r\nConnection: upgrade", "says=0 length=0 keeps"),
        GoodResponse(
            "HTTP/1.0 200\r\nContent-Length: 0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            "200 1.0 says=0 length=0"
        ),
        GoodResponse(
            "HTTP/1.0 200\r\nContent-Length: 0\r\nConnection: close, keep-alive\r\n\r\n",
            "200 1.0 says=0 length=0"
        ),
    ]

    @Test(
        "A response that is right is read, however it is split",
        arguments: statusLines + framings + connections
    )
    func goodResponse(good: GoodResponse) {
        let bytes = Array(good.response.utf8)
        let whole = ParsedResponse(bytes, answering: good.method)
        #expect(whole.outcome == .complete)
        #expect(whole.summary == good.summary)
        #expect(ParsedResponse.firstSplitThatDiffers(bytes, answering: good.method) == nil)
        // Whatever follows the head is not looked at.
        #expect(ParsedResponse(bytes + Array("\n\0HTTP".utf8), answering: good.method) == whole)
        let trickled = ParsedResponse(byteByByte: bytes + [0x0A], answering: good.method)
        #expect(trickled.knownAt == bytes.count, "known with the last byte, not before or after")
    }

    @Test("Fields come out in order, trimmed, with their bytes")
    func fieldsInOrder() {
        let bytes = Array("HTTP/1.1 200 OK\r\nServer:s\r\nA: 1\r\nempty:\r\nB:\t b\tb \t\r\na:\u{e9}\r\n\r\n".utf8)
        #expect(ParsedResponse(bytes).fields == ["Server=s", "A=1", "empty=", "B=b\tb", "a=\u{e9}"])
    }

    @Test("An outcome stays until reset, and then nothing of the last response is left")
    func reset() {
        var parser = ResponseParser(limits: HTTPLimits())
        let interim = Array("HTTP/1.1 101 S\r\nConnection: upgrade, x\r\nUpgrade: y\r\n\r\n".utf8)
        let final = Array("HTTP/1.1 200\r\nX: y\r\nContent-Length: 3\r\n\r\n".utf8)
        let first = [
            parser.parse(interim.span, answering: .get), parser.parse(final.span, answering: .get),
        ]
        #expect(first == [.complete, .complete])
        #expect(parser.head.status == 101)
        parser.reset()
        let second = parser.parse(final.span, answering: .get)
        #expect(second == .complete)
        let fresh = ParsedResponse(final)
        #expect("\(fresh)".contains("\(parser.head)"))
        #expect(parser.fields.count == 2)
        var runs = ForwardedRuns()
        let run = runs.next(parser.fields, in: final.span)
        #expect(run.map { text(final, $0) } == "X: y\r\nContent-Length: 3\r\n")
        let more = runs.next(parser.fields, in: final.span)
        #expect(more == nil)
    }

    @Test("However random bytes are split, the outcome is the same", arguments: [UInt64.random(in: 0...UInt64.max)])
    func splitsOfRandomBytes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let seeds = Self.statusLines + Self.framings + Self.connections
        var limits = HTTPLimits()
        limits.requestLineBytesMax = 24
        limits.headerBytesMax = 64
        limits.headerFieldsMax = 3
        for _ in 0..<5000 {
            guard let seed = seeds.randomElement(using: &random) else { return }
            var bytes = Array(seed.response.utf8)
            random.mutate(&bytes)
            let whole = ParsedResponse(bytes, answering: seed.method, limits: limits)
            let cuts = random.cuts(bytes.count)
            let split = ParsedResponse(bytes, answering: seed.method, prefixes: cuts, limits: limits)
            let trickled = ParsedResponse(byteByByte: bytes, answering: seed.method, limits: limits)
            guard whole == split, whole == trickled else {
                Issue.record("seed \(seed): \(bytes) whole \(whole) split \(split) trickled \(trickled)")
                return
            }
        }
    }
}

extension GoodResponse {
    /// Without the space behind which no word follows.
    fileprivate var trimmed: GoodResponse {
        GoodResponse(response, answering: method, String(summary.dropLast()))
    }
}
