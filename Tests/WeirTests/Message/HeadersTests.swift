// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir

@Suite struct HeadersTests {
    @Test func `names are compared without regard to case, values come first to last`() {
        var headers: Headers = ["Accept": "a", "ACCEPT": "b", "X-Other": "c"]
        #expect(headers["accept"] == "a")
        #expect(headers["x-OTHER"] == "c")
        #expect(headers["Accep"] == nil)
        #expect(headers.count == 3)
        headers.add("accept", "d")
        #expect(headers.count == 4)
        #expect(headers["Accept"] == "a")
        headers["aCCEPT"] = "e"
        #expect(headers.count == 2)
        #expect(headers["Accept"] == "e")
        headers["X-Other"] = nil
        #expect(headers["X-Other"] == nil)
        headers["accept"] = nil
        #expect(headers.isEmpty)
    }

    @Test(arguments: HandlerKind.allCases)
    func `a request's fields are there in their order, and found whatever their case`(kind: HandlerKind) async throws {
        let app = makeApp()
        app.handle(kind, "/") { request, _ in
            let all = request.headers.map { "\($0.name)=\($0.value)" }.joined(separator: "|")
            let found = [request.headers["x-b"], request.headers["X-B"], request.headers["x-none"]]
            let texts = found.map { $0 ?? "nil" }
            return .text("\(request.headers.count)\n\(all)\n\(texts)\n\(request.headers.all("x-A"))")
        }
        try await app.test { client async throws in
            let responses = try await client.exchange(
                "GET / HTTP/1.1\r\nHost: h\r\nX-a: 1\r\nX-B:two  words \r\nx-A:  2\r\nEmpty:\r\nConnection: close\r\n\r\n"
            )
            #expect(
                responses.first?.text == """
                    6
                    Host=h|X-a=1|X-B=two  words|x-A=2|Empty=|Connection=close
                    ["two  words", "two  words", "nil"]
                    ["1", "2"]
                    """
            )
        }
    }
}
