// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP
import WeirTestSupport

/// A request that is right, and what is in it.
struct GoodCase: CustomTestStringConvertible, Sendable {
    let request: String
    let summary: String

    init(_ request: String, _ summary: String) {
        self.request = request
        self.summary = summary
    }

    /// With Host and these lines.
    static func fields(_ lines: String, _ summary: String) -> GoodCase {
        GoodCase("POST /a HTTP/1.1\r\nHost: h\r\n\(lines)\r\n\r\n", "post origin 1.1 path=/a host=h" + summary)
    }

    var testDescription: String { request.debugDescription }
}

@Suite("RequestParser") struct RequestParserTests {
    static let requestLines = [
        GoodCase("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "get origin 1.1 path=/ host=h keeps"),
        GoodCase("GET / HTTP/1.0\r\n\r\n", "get origin 1.0 path=/ host="),
        GoodCase("GET / HTTP/1.2\r\nHost: h\r\n\r\n", "get origin 1.1 path=/ host=h keeps"),
        GoodCase("GET / HTTP/1.9\r\nHost: h\r\n\r\n", "get origin 1.1 path=/ host=h keeps"),
        GoodCase("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "get origin 1.1 path=/ host=h keeps"),
        GoodCase("GET /a/b?c=d?e&f HTTP/1.1\r\nHost: h\r\n\r\n", "get origin 1.1 path=/a/b query=c=d?e&f host=h keeps"),
        GoodCase("GET /? HTTP/1.1\r\nHost: h\r\n\r\n", "get origin 1.1 path=/ query= host=h keeps"),
        GoodCase("GET /?a\\b HTTP/1.1\r\nHost: h\r\n\r\n", "get origin 1.1 path=/ query=a\\b host=h keeps"),
        GoodCase(
            "GET //x/%2e%2E/|{}[]<>\"'`~ HTTP/1.1\r\nHost: h\r\n\r\n",
            "get origin 1.1 path=//x/%2e%2E/|{}[]<>\"'`~ host=h keeps"
        ),
        GoodCase("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", "head origin 1.1 path=/ host=h keeps"),
        GoodCase("POST / HTTP/1.1\r\nHost: h\r\n\r\n", "post origin 1.1 path=/ host=h keeps"),
        GoodCase("PUT / HTTP/1.1\r\nHost: h\r\n\r\n", "put origin 1.1 path=/ host=h keeps"),
        GoodCase("DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", "delete origin 1.1 path=/ host=h keeps"),
        GoodCase("PATCH / HTTP/1.1\r\nHost: h\r\n\r\n", "patch origin 1.1 path=/ host=h keeps"),
        GoodCase("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", "trace origin 1.1 path=/ host=h keeps"),
        GoodCase("OPTIONS / HTTP/1.1\r\nHost: h\r\n\r\n", "options origin 1.1 path=/ host=h keeps"),
        GoodCase("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "options asterisk 1.1 path= host=h keeps"),
        GoodCase("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", "connect authority 1.1 path= host=h:443 keeps"),
        GoodCase(
            "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n",
            "connect authority 1.1 path= host=[::1]:443 keeps"
        ),
        GoodCase(
            "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nContent-Length: 4\r\n\r\n",
            "connect authority 1.1 path= host=h:443 length=4 keeps"
        ),
        GoodCase("get / HTTP/1.1\r\nHost: h\r\n\r\n", "other origin 1.1 path=/ host=h keeps"),
        GoodCase("GETT / HTTP/1.1\r\nHost: h\r\n\r\n", "other origin 1.1 path=/ host=h keeps"),
        GoodCase("M-SEARCH / HTTP/1.1\r\nHost: h\r\n\r\n", "other origin 1.1 path=/ host=h keeps"),
        GoodCase(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ!#$%&' / HTTP/1.1\r\nHost: h\r\n\r\n",
            "other origin 1.1 path=/ host=h keeps"
        ),
        GoodCase(
            "GET http://H:80/a?b HTTP/1.1\r\nHost: h:80\r\n\r\n",
            "get absolute 1.1 http path=/a query=b host=H:80 keeps"
        ),
        GoodCase("GET HTTPS://h HTTP/1.1\r\nHost: h\r\n\r\n", "get absolute 1.1 https path= host=h keeps"),
        GoodCase("GET http://h?a/b HTTP/1.1\r\nHost: h\r\n\r\n", "get absolute 1.1 http path= query=a/b host=h keeps"),
        GoodCase("GET http://h/ HTTP/1.0\r\n\r\n", "get absolute 1.0 http path=/ host=h"),
        GoodCase("OPTIONS http://h HTTP/1.1\r\nHost: h\r\n\r\n", "options absolute 1.1 http path= host=h keeps"),
    ]

    static let meanings =
        [
            GoodCase.fields("X: y", " keeps"),
            .fields("Content-Length: 0", " length=0 keeps"),
            .fields("cONTENT-lENGTH:\t 12 \t", " length=12 keeps"),
            .fields("Content-Length: 007", " length=7 keeps"),
            .fields("Content-Length: 9223372036854775807", " length=9223372036854775807 keeps"),
            .fields("Transfer-Encoding: chunked", " chunked keeps"),
            .fields("transfer-encoding:Chunked", " chunked keeps"),
            .fields("Connection: close", " host"),
            .fields("Connection: Close", " host"),
            .fields("Connection: keep-alive, close", " host"),
            .fields("Connection: keep-alive\r\nConnection: close", " host"),
            .fields("Connection: , x-a ,,\tclose,", " host"),
            .fields("Connection: closed", " keeps"),
            .fields("Connection:", " keeps"),
            .fields("Connection: upgrade\r\nUpgrade: websocket", " keeps upgrade"),
            .fields("Upgrade: websocket\r\nConnection: keep-alive, Upgrade", " keeps upgrade"),
            .fields("Connection: upgrade", " keeps"),
            .fields("Upgrade: websocket", " keeps"),
            .fields("Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 0", " length=0 keeps upgrade"),
            .fields("Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 5", " length=5 keeps"),
            .fields("Transfer-Encoding: chunked\r\nConnection: upgrade\r\nUpgrade: x", " chunked keeps"),
            .fields("Expect: 100-Continue\r\nContent-Length: 5", " length=5 keeps continue"),
            .fields("Transfer-Encoding: chunked\r\nExpect: 100-continue", " chunked keeps continue"),
            .fields("Expect: 100-continue", " keeps"),
            .fields("Expect: 100-continue\r\nContent-Length: 0", " length=0 keeps"),
        ].map { GoodCase($0.request, $0.summary.replacingSuffix(" host", with: "")) } + [
            GoodCase("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "get origin 1.0 path=/ host= keeps"),
            GoodCase("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "get origin 1.0 path=/ host="),
            GoodCase("GET / HTTP/1.0\r\nHost: h\r\n\r\n", "get origin 1.0 path=/ host=h"),
            GoodCase(
                "POST / HTTP/1.0\r\nContent-Length: 3\r\nExpect: other\r\n\r\n",
                "post origin 1.0 path=/ host= length=3"
            ),
            GoodCase(
                "POST / HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
                "post origin 1.0 path=/ host= length=3"
            ),
            GoodCase("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "get origin 1.0 path=/ host="),
        ]

    static let hosts = [
        "", "h", "example.com", "example.com:8080", "example.com:", "a_b-c.~", "127.0.0.1:80", "[::1]", "[::1]:65535",
        "[::ffff:1.2.3.4]", "h:00080",
    ].map { GoodCase("GET / HTTP/1.1\r\nHost: \($0)\r\n\r\n", "get origin 1.1 path=/ host=\($0) keeps") }

    @Test("A request that is right is read, however it is split", arguments: requestLines + meanings + hosts)
    func goodRequest(good: GoodCase) {
        let bytes = Array(good.request.utf8)
        let whole = parseHead(bytes)
        #expect(whole.outcome == .complete)
        #expect(whole.summary == good.summary)
        #expect(firstSplitThatDiffers(bytes, from: whole) == nil)
        // Whatever follows the head is not looked at.
        #expect(parseHead(bytes + Array("\n\0GET".utf8)) == whole)
        #expect(parseByteByByte(bytes + [0x0A]).knownAt == bytes.count, "known with the last byte, not before or after")
    }

    @Test("Fields come out in order, trimmed, with their bytes")
    func fieldsInOrder() {
        let request =
            "GET / HTTP/1.1\r\nHost:h\r\nA: 1\r\nempty:\r\nblank: \t \r\nB:\t b\tb  b \t\r\na:\u{e9}\r\n!#$%&'*+-.^_`|~09:x\r\n\r\n"
        let whole = parseHead(Array(request.utf8))
        #expect(
            whole.fields == ["Host=h", "A=1", "empty=", "blank=", "B=b\tb  b", "a=\u{e9}", "!#$%&'*+-.^_`|~09=x"]
        )
        #expect(firstSplitThatDiffers(Array(request.utf8), from: whole) == nil)
    }

    @Test("Ranges count from the first byte, with an empty line in front too")
    func rangesBehindEmptyLine() {
        let bytes = Array("\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\nrest".utf8)
        var parser = RequestParser(limits: HTTPLimits())
        let outcome = parser.parse(bytes.span)
        #expect(outcome == .complete)
        #expect(Int(parser.head.byteCount) == bytes.count - 4)
        #expect(parser.head.methodRange == ByteRange(start: 2, count: 3))
        #expect(parser.head.target == ByteRange(start: 6, count: 2))
        #expect(parser.field(0).value == ByteRange(start: 25, count: 1))
    }

    @Test("An outcome stays until reset, and then nothing of the last request is left")
    func resetForgets() {
        let first = Array(
            "POST http://h/?q HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close, upgrade\r\nUpgrade: x\r\n\r\n"
                .utf8
        )
        let second = Array("GET / HTTP/1.1\r\nHost: i\r\n\r\n".utf8)
        let bad = Array("GET\r\n".utf8)
        var parser = RequestParser(limits: HTTPLimits())
        let outcomes = [parser.parse(first.span), parser.parse(second.span)]
        #expect(outcomes == [.complete, .complete])
        #expect(parser.head.method == .post)
        parser.reset()
        let fault = ParseOutcome.invalid(RequestFault(.requestLineMalformed, at: 3))
        let refused = [parser.parse(bad.span), parser.parse(second.span)]
        #expect(refused == [fault, fault])
        parser.reset()
        let outcome = parser.parse(second.span)
        #expect(outcome == .complete)
        #expect("\(parser.head) \(parser.field(0))" == parseHead(second).details)
        #expect(parser.fieldCount == 1)
        #expect(parser.fields.first(.upgrade) == nil)
    }

    @Test("However random bytes are split, the outcome is the same", arguments: [UInt64.random(in: 0...UInt64.max)])
    func splitsOfRandomBytes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let seeds = (Self.requestLines + Self.meanings + Self.hosts).map { Array($0.request.utf8) }
        var limits = HTTPLimits()
        limits.requestLineBytesMax = 40
        limits.headerBytesMax = 64
        limits.headerFieldsMax = 3
        for _ in 0..<5000 {
            var bytes = seeds.randomElement(using: &random) ?? []
            random.mutate(&bytes)
            let whole = parseHead(bytes, limits: limits)
            let split = parseHead(bytes, prefixes: random.cuts(bytes.count), limits: limits)
            let trickled = parseByteByByte(bytes, limits: limits)
            guard whole == split, whole == trickled else {
                Issue.record("seed \(seed): \(bytes) whole \(whole) split \(split) trickled \(trickled)")
                return
            }
        }
    }
}

extension String {
    fileprivate func replacingSuffix(_ suffix: String, with other: String) -> String {
        hasSuffix(suffix) ? dropLast(suffix.count) + other : self
    }
}
