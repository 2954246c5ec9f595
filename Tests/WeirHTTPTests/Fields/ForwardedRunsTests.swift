// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP
import WeirTestSupport

/// Field lines, and which of them go on.
struct ForwardCase: CustomTestStringConvertible, Sendable {
    let lines: [String]
    let omitted: [HeaderName]
    /// Lines of one run stand together.
    let runs: [[String]]

    init(_ lines: [String], omitting omitted: [HeaderName] = [], _ runs: [[String]]) {
        self.lines = lines
        self.omitted = omitted
        self.runs = runs
    }

    var testDescription: String { "\(lines) without \(omitted)" }
}

@Suite("ForwardedRuns") struct ForwardedRunsTests {
    /// The runs of a request that begins with this line.
    private func runs(_ head: String, omitting omitted: [HeaderName] = []) -> [String]? {
        let bytes = Array(head.utf8)
        var parser = RequestParser(limits: HTTPLimits())
        guard parser.parse(bytes.span) == .complete else { return nil }
        return runs(of: parser.fields, bytes, omitting: omitted)
    }

    /// The runs of a response that answers a request with this method.
    private func responseRuns(_ head: String, answering method: HTTPMethod, omitting: [HeaderName] = []) -> [String]? {
        let bytes = Array(head.utf8)
        var parser = ResponseParser(limits: HTTPLimits())
        guard parser.parse(bytes.span, answering: method) == .complete else { return nil }
        return runs(of: parser.fields, bytes, omitting: omitting)
    }

    private func runs(of fields: borrowing FieldSection, _ bytes: [UInt8], omitting: [HeaderName]) -> [String] {
        var omitted = HeaderNameSet()
        for name in omitting { omitted.insert(name) }
        var iterator = ForwardedRuns(omitting: omitted)
        var runs: [String] = []
        while let run = iterator.next(fields, in: bytes.span) { runs.append(text(bytes, run)) }
        #expect(iterator.next(fields, in: bytes.span) == nil, "it stays at its end")
        return runs
    }

    static let cases = [
        ForwardCase([], []),
        ForwardCase(["Host: h"], [["Host: h"]]),
        ForwardCase(["Host: h", "A: \t b \t", "B:"], [["Host: h", "A: \t b \t", "B:"]]),
        ForwardCase(["Host: h"], omitting: [.host], []),
        ForwardCase(["Host: h", "A: b"], omitting: [.host], [["A: b"]]),
        ForwardCase(["A: b", "Host: h", "C: d", "E: f"], omitting: [.host], [["A: b"], ["C: d", "E: f"]]),
        ForwardCase(["A: b", "C: d"], omitting: [.other], []),
        ForwardCase(["A: b", "Accept: x"], omitting: [.other, .host], [["Accept: x"]]),
        ForwardCase(["A: b"], omitting: [.via, .expect], [["A: b"]]),
        ForwardCase(["X_Forwarded_For: a", "x_one: b", "X-Forwarded_Host: c"], omitting: [.lookalike], [["x_one: b"]]),
        ForwardCase(["X_Request_Id: a", "A: b", "Connection: x_request_id"], [["A: b"]]),
        // Hop-by-hop by name, whatever Connection says.
        ForwardCase(["A: b", "Connection: keep-alive", "C: d"], [["A: b"], ["C: d"]]),
        ForwardCase(["CONNECTION: close", "A: b", "connection:"], [["A: b"]]),
        ForwardCase(["Keep-Alive: timeout=5", "Proxy-Connection: close", "A: b"], [["A: b"]]),
        ForwardCase(["A: b", "TE: trailers", "Connection: te"], [["A: b"]]),
        ForwardCase(["Upgrade: websocket", "A: b", "Connection: upgrade"], [["A: b"]]),
        ForwardCase(["A: b", "Transfer-Encoding: chunked", "Trailer: X"], [["A: b"], ["Trailer: X"]]),
        ForwardCase(["Proxy-Authorization: Basic eA==", "Authorization: Basic eA=="], [["Authorization: Basic eA=="]]),
        ForwardCase(
            ["Proxy-Authenticate: Basic", "Proxy-Authentication-Info: x", "WWW-Authenticate: x"],
            [["WWW-Authenticate: x"]]
        ),
        // Named by Connection.
        ForwardCase(["A: b", "Connection: a"], []),
        ForwardCase(
            ["Connection: X-One", "x-oNE: 1", "X-On: 2", "x-ones: 3", "x_one: 4"],
            [["X-On: 2", "x-ones: 3", "x_one: 4"]]
        ),
        ForwardCase(["X-1: a", "X-2: b", "X-3: c", "Connection: close, x-2 ,,\tx-3,"], [["X-1: a"]]),
        ForwardCase(["X-1: a", "Connection: x-1", "X-2: b", "Connection: x-2", "X-3: c"], [["X-3: c"]]),
        ForwardCase(["HTTP2-Settings: AA", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings"], []),
        ForwardCase(["Connection: close", "Close: x"], [["Close: x"]]),
        // Known names are meant for every recipient: naming them has no effect.
        ForwardCase(
            ["Host: h", "Connection: host, content-length, cookie", "Content-Length: 3", "Cookie: a"],
            [["Host: h"], ["Content-Length: 3", "Cookie: a"]]
        ),
        ForwardCase(
            [
                "X-Forwarded-For: a", "Forwarded: for=a", "X-Real-IP: a",
                "Connection: X-Forwarded-For, Forwarded, X-Real-IP",
            ],
            [["X-Forwarded-For: a", "Forwarded: for=a", "X-Real-IP: a"]]
        ),
        ForwardCase(["Connection: authorization, X-Y", "Authorization: a", "X-Y: z"], [["Authorization: a"]]),
        // Unless the caller leaves them out itself.
        ForwardCase(["Host: h", "Connection: host", "A: b"], omitting: [.host], [["A: b"]]),
    ]

    @Test("What goes on are the longest runs of whole lines, as they came", arguments: cases)
    func table(row: ForwardCase) {
        let lines = row.lines.map { $0 + "\r\n" }.joined()
        let expected = row.runs.map { $0.map { $0 + "\r\n" }.joined() }
        let method = "POST /a HTTP/1.1\r\n"
        if row.lines.contains(where: { $0.hasPrefix("Host:") }) {
            #expect(runs("\(method)\(lines)\r\n", omitting: row.omitted) == expected)
            #expect(ForwardedModel.runs("\(method)\(lines)\r\n", omitting: row.omitted) == expected)
        }
        let response = "HTTP/1.1 200 OK\r\n\(lines)\r\n"
        #expect(responseRuns(response, answering: .get, omitting: row.omitted) == expected)
        #expect(ForwardedModel.runs(response, omitting: row.omitted) == expected)
    }

    @Test(
        "Content-Length goes on but with responses that can have no body",
        arguments: [
            (200, HTTPMethod.get, true), (200, .head, true), (304, .get, true), (204, .get, false), (204, .head, false),
            (100, .get, false), (200, .connect, false), (407, .connect, true),
        ]
    )
    func contentLength(status: Int, method: HTTPMethod, goesOn: Bool) {
        let response = "HTTP/1.1 \(status)\r\nA: b\r\nContent-Length: 0\r\nC: d\r\n\r\n"
        let expected = goesOn ? ["A: b\r\nContent-Length: 0\r\nC: d\r\n"] : ["A: b\r\n", "C: d\r\n"]
        #expect(responseRuns(response, answering: method) == expected)
        #expect(responseRuns(response, answering: method, omitting: [.contentLength]) == ["A: b\r\n", "C: d\r\n"])
    }

    @Test("Connection may name sixteen fields that are not known")
    func mostNames() {
        let names = (1...16).map { "x-\($0)" }
        let lines = names.map { "\($0): y\r\n" }.joined()
        let head =
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: close, te, \(names.joined(separator: ","))\r\n\(lines)x-17: y\r\n\r\n"
        #expect(runs(head) == ["Host: h\r\n", "x-17: y\r\n"])
    }

    @Test("It agrees with a slow model on random heads", arguments: [UInt64.random(in: 0...UInt64.max)])
    func model(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<3000 {
            let (head, omitted) = randomHead(&random)
            let bodyless = random.oneIn(3)
            let actual =
                bodyless
                ? responseRuns("HTTP/1.1 204\r\n\(head)\r\n", answering: .get, omitting: omitted)
                : runs("GET / HTTP/1.1\r\nHost: h\r\n\(head)\r\n", omitting: omitted)
            let start = bodyless ? "HTTP/1.1 204\r\n" : "GET / HTTP/1.1\r\nHost: h\r\n"
            let expected = ForwardedModel.runs("\(start)\(head)\r\n", omitting: omitted, withoutBody: bodyless)
            guard actual == expected else {
                Issue.record("seed \(seed): \((start + head).debugDescription) without \(omitted): \(actual ?? [])")
                return
            }
        }
    }

    /// Lines whose names and options come from one small pool, in any case, and names to leave out.
    private func randomHead(_ random: inout SeededGenerator) -> (lines: String, omitted: [HeaderName]) {
        let pool = [
            "accept", "cookie", "close", "keep-alive", "upgrade", "te", "trailer", "via", "x-a", "x-b", "x-abc",
            "x-forwarded-for", "proxy-authorization", "http2-settings", "content-type",
        ]
        func name() -> String {
            let name = pool.randomElement(using: &random) ?? ""
            return random.oneIn(3) ? name.uppercased() : name
        }
        var lines = ""
        var optionsLeft = 16
        for _ in 0..<Int.random(in: 0...12, using: &random) {
            if random.oneIn(4) {
                let count = Int.random(in: 0...min(4, optionsLeft), using: &random)
                optionsLeft -= count
                let blank = random.oneIn(2) ? " " : "\t "
                let options = (0..<count).map { _ in random.oneIn(5) ? blank : "\(name())\(blank)" }
                lines += "Connection:\(blank)\(options.joined(separator: random.oneIn(2) ? "," : " ,\t"))\r\n"
            } else {
                lines += "\(name()):\(random.oneIn(2) ? " value" : "")\r\n"
            }
        }
        if random.oneIn(3) { lines += "content-length: 0\r\n" }
        let omitted = HeaderName.allCases.filter { _ in random.oneIn(12) }
        return (lines, omitted)
    }
}
