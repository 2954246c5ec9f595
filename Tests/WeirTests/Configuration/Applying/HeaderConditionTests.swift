// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir

@Suite(.timeLimit(.minutes(2))) struct HeaderConditionTests {
    private static let routes = """
        routes:
          - {match: {path: "/x/:id", methods: [GET], headers: {x-v: "2", x-beta: {present: true}}}, upstream: both}
          - {match: {path: "/x/:id", headers: {X-V: {prefix: "2"}}}, upstream: two}
          - {match: {path: "/x/:name", headers: {x-v: {present: false}}}, upstream: none}
          - {match: {path: /only, headers: {x-v: "1"}}, upstream: both}
        """

    @Test(arguments: [
        (Method.get, "/x/1", ["x-v": "2", "X-BETA": ""], "both"),
        (.head, "/x/1", ["X-V": "2", "x-beta": "y"], "both"),
        // The first is for GET alone.
        (.post, "/x/1", ["x-v": "2", "x-beta": "y"], "two"),
        (.get, "/x/1", ["x-v": "2"], "two"),
        (.get, "/x/1", ["x-v": "2.1", "x-beta": "y"], "two"),
        (.get, "/x/1", ["x-beta": "y"], "none"),
        (.put, "/x/1", [:], "none"),
        (.get, "/x/1", ["x-v": "3"], ""),
        (.get, "/x/1", ["x-v": ""], ""),
        (.get, "/only", ["x-v": "1"], "both"),
        (.get, "/only", ["x-v": "1 1"], ""),
        (.get, "/only", [:], ""),
    ])
    func `the first route whose conditions hold takes a request`(
        method: Method,
        target: String,
        fields: [String: String],
        service: String
    ) async throws {
        try await withConfiguredGateway(["both", "two", "none"], Self.routes) { client async throws in
            var headers = Headers()
            for (name, value) in fields { headers.add(name, value) }
            let response = try await client.send(method, target, headers: headers)
            #expect(response.headers["X-Service"] ?? "" == service)
            #expect(response.status == (service.isEmpty ? 404 : 200))
        }
    }

    @Test func `of a field that comes twice the first counts`() async throws {
        try await withConfiguredGateway(["both", "two", "none"], Self.routes) { client async throws in
            var headers = Headers()
            headers.add("x-v", "1")
            headers.add("x-v", "2")
            #expect(try await client.get("/x/1", headers: headers).status == 404)
        }
    }

    @Test func `requests of one connection choose each for itself`() async throws {
        try await withConfiguredGateway(["both", "two", "none"], Self.routes) { client async throws in
            let two = "GET /x/1 HTTP/1.1\r\nHost: h\r\nx-v: 2\r\n\r\n"
            let none = "GET /x/1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
            let responses = try await client.exchange(two + two + none)
            #expect(responses.map { $0["x-service"] ?? "" } == ["two", "two", "none"])
        }
    }
}
