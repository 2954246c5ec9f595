// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir

@Suite struct QueryTests {
    /// Query as sent, and its pairs, each as `name=value` with `|` between them.
    @Test(arguments: [
        ("", ""), ("a=1", "a=1"), ("a=1&b=2", "a=1|b=2"), ("a", "a="), ("a=", "a="), ("=1", "=1"), ("a=1=2", "a=1=2"),
        ("&&a=1&&", "a=1"), ("a=b+c", "a=b c"), ("a%2Bb=c%26d", "a+b=c&d"), ("%61=%62", "a=b"), ("a=%C3%A4", "a=ä"),
        ("a=%", "a=%"), ("a=%4", "a=%4"), ("a=%zz", "a=%zz"), ("a=%%41", "a=%A"), ("a=%4%41", "a=%4A"),
        ("a=%FF", "a=\u{FFFD}"), ("a=%e4%b8%ad", "a=中"), ("a=1&a=2&A=3", "a=1|a=2|A=3"), ("a=%2541", "a=%41"),
        ("a=1;b=2", "a=1;b=2"), ("?=?", "?=?"),
    ])
    func `a query is decoded as forms write it`(query: String, pairs: String) async throws {
        let app = makeApp()
        app.get("/", on: .loop) { request, _ in
            let pairs = request.query.pairs.map { "\($0.name)=\($0.value)" }.joined(separator: "|")
            return .text("\(request.query.text)\n\(pairs)")
        }
        try await app.test { client async throws in
            #expect(try await client.get("/?\(query)").text == "\(query)\n\(pairs)")
        }
    }

    @Test func `values are found by name`() async throws {
        let app = makeApp()
        app.get("/", on: .loop) { request, _ in
            let query = request.query
            return .text("\(query["a"] ?? "nil") \(query["none"] ?? "nil") \(query["flag"] ?? "nil") \(query.all("a"))")
        }
        try await app.test { client async throws in
            #expect(try await client.get("/?a=1&b=2&a=3&flag").text == #"1 nil  ["1", "3"]"#)
            #expect(try await client.get("/").text == "nil nil nil []")
        }
    }
}
