// SPDX-License-Identifier: Apache-2.0
// A head that comes again is not read again: nothing of a request may show that.

import Testing
import Weir

@Suite(.timeLimit(.minutes(3))) struct RepeatedHeadTests {
    private static func makeRoutes(_ app: App) {
        app.get("/loop/:n", on: .loop) { request, _ in
            .text("\(try request.parameter("n")) \(request.query["q"] ?? "-") \(request.headers["x"] ?? "-")")
        }
        app.post("/body/:n", on: .loop) { request, _ in
            .text("\(try request.parameter("n")) \(String(decoding: try request.body.collect(), as: UTF8.self))")
        }
        app.get("/async/:n") { request, context in
            await context.yield()
            return .text("\(try request.parameter("n")) \(request.path)")
        }
        app.get("/who", on: .loop) { request, _ in
            .text("\(request.headers["cookie"] ?? "-") \(request.headers["authorization"] ?? "-")")
        }
    }

    /// Heads that differ from each other in a byte or two, and what each is answered.
    private static let heads: [(head: String, answer: String)] = [
        ("GET /loop/1 HTTP/1.1\r\nHost: h\r\nX: a\r\n\r\n", "1 - a"),
        ("GET /loop/2 HTTP/1.1\r\nHost: h\r\nX: a\r\n\r\n", "2 - a"),
        ("GET /loop/1?q=7 HTTP/1.1\r\nHost: h\r\nX: a\r\n\r\n", "1 7 a"),
        ("GET /loop/1 HTTP/1.1\r\nHost: h\r\nX: b\r\n\r\n", "1 - b"),
        ("GET /loop/%41 HTTP/1.1\r\nHost: h\r\nX: a\r\n\r\n", "A - a"),
        ("GET /async/3 HTTP/1.1\r\nHost: h\r\n\r\n", "3 /async/3"),
        ("GET /async/./4 HTTP/1.1\r\nHost: h\r\n\r\n", "4 /async/4"),
        ("GET /who HTTP/1.1\r\nHost: h\r\nCookie: a=1\r\n\r\n", "a=1 -"),
        ("GET /who HTTP/1.1\r\nHost: h\r\nAuthorization: b\r\n\r\n", "- b"),
    ]

    @Test(arguments: 0..<40)
    func `repeated and differing heads in random order are each answered as their own`(seed: Int) async throws {
        let app = makeApp()
        Self.makeRoutes(app)
        try await app.test { client async throws in
            var generator = SystemRandomNumberGenerator()
            var text = ""
            var expected: [String] = []
            for _ in 0..<25 {
                let (head, answer) = Self.heads[Int.random(in: 0..<Self.heads.count, using: &generator)]
                for _ in 0..<Int.random(in: 1...3, using: &generator) {
                    text += head
                    expected.append(answer)
                }
            }
            text += "GET /loop/end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
            expected.append("end - -")
            #expect(try await client.exchange(text).map(\.text) == expected, "\(text)")
        }
    }

    @Test func `the same head with different bodies gets each its own body`() async throws {
        let app = makeApp()
        Self.makeRoutes(app)
        try await app.test { client async throws in
            let head = "POST /body/7 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"
            let last = "POST /body/8 HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            let responses = try await client.exchange(head + "abc" + head + "def" + head + "GET" + last)
            #expect(responses.map(\.text) == ["7 abc", "7 def", "7 GET", "8 "])
        }
    }

    @Test func `a head that was refused or had no route is looked at anew`() async throws {
        let app = makeApp()
        Self.makeRoutes(app)
        try await app.test { client async throws in
            let missing = "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n"
            let found = "GET /loop/1 HTTP/1.1\r\nHost: h\r\n\r\n"
            let bad = "GET /loop/1 HTTP/1.1\r\nHost : h\r\n\r\n"
            let responses = try await client.exchange(missing + missing + found + found + missing + found + bad)
            #expect(responses.map(\.status) == [404, 404, 200, 200, 404, 200, 400])
        }
    }
}
