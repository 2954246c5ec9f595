// SPDX-License-Identifier: Apache-2.0
// What handlers ask: two apps in one process, one of which asks the other over a Unix socket.

import Testing
import Weir
import WeirMetrics
import WeirTestSupport

@Suite(.timeLimit(.minutes(2))) struct ClientTests {
    /// Answers what came: method, target, body, and these fields.
    private static func echo(_ app: App) {
        for method in [Method.get, .head, .post, .put, .delete] {
            app.handleBody(.async, "/*path", method: method, upTo: .mebibytes(16)) { body, request in
                var response = Response.bytes(body, status: 299)
                response.headers["X-Method"] = request.method.rawValue
                response.headers["X-Target"] = request.target
                for name in fields { response.headers["Saw-\(name)"] = request.headers[name] ?? "-" }
                response.headers["Count-x-deadline"] = "\(request.headers.all("x-deadline").count)"
                return response
            }
        }
    }

    /// Answers nothing.
    private static func never(_ app: App) {
        app.get("/*path") { _, context async throws in
            try await context.sleep(for: .seconds(3600))
            return .text("never")
        }
    }

    /// A field that the upstream does not read, so that it does not answer 504 itself.
    private static let unknown = "x-unknown"

    private static let fields = [
        "Host", "X-One", "X-Track", "X-Request-Id", "traceparent", "tracestate", "Connection", "Content-Length",
        "Expect",
        "x-envoy-expected-rq-timeout-ms", "x-deadline", "grpc-timeout",
    ]

    /// An app whose route asks `stock`, for what `ask` does with it.
    private func withClient(
        _ configure: (App) -> Void = echo,
        deadlineHeader: String = "",
        tagHeader: String = "",
        on placement: Placement = .loop,
        ask: @escaping @Sendable (UpstreamClient) async throws -> Response,
        test body: (TestClient) async throws -> Void
    ) async throws {
        let folder = try ScratchFolder()
        let log = CapturedLog()
        let upstream = makeApp(log: log) {
            $0.listen = [.unix(path: "\(folder.path)/up.sock", mode: 0o600)]
            $0.drainTimeout = .zero
        }
        configure(upstream)
        let running = try await RunningApp(upstream, log: log)
        let app = makeApp {
            $0.deadlineHeader = deadlineHeader
            $0.tagHeader = tagHeader
        }
        app.upstream("stock", endpoints: "unix:\(folder.path)/up.sock")
        app.get("/ask", on: placement) { _, context async throws in try await ask(context.client("stock")) }
        do {
            try await app.test { client async throws in try await body(client) }
        } catch {
            try await running.stop()
            throw error
        }
        try await running.stop()
    }

    private static func passOn(_ response: ClientResponse) -> Response {
        var answer = Response.bytes(response.body)
        for (name, value) in response.headers { answer.headers.add(name, value) }
        answer.headers["Status"] = "\(response.status)"
        return answer
    }

    @Test(arguments: [Placement.loop, .workers])
    func `a handler asks an upstream, and has the whole response`(placement: Placement) async throws {
        try await withClient(on: placement) { client async throws in
            Self.passOn(try await client.get("/items/7?full=1", headers: ["X-One": "1"]))
        } test: { client async throws in
            for _ in 0..<3 {
                let response = try await client.get("/ask")
                #expect(response.headers["Status"] == "299")
                #expect(response.headers["X-Method"] == "GET")
                #expect(response.headers["X-Target"] == "/items/7?full=1")
                #expect(response.headers["Saw-X-One"] == "1")
                #expect(response.headers["Saw-Host"] == "localhost")
                #expect(response.headers["Saw-Content-Length"] == "-")
            }
        }
    }

    @Test(arguments: [0, 1, 100_000, 3_000_000])
    func `a body goes there and comes back whole`(count: Int) async throws {
        try await withClient { client async throws in
            let body = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
            let response = try await client.post("/items", body: body)
            let length = response.headers["Saw-Content-Length"] ?? ""
            return .text("\(response.isSuccess) \(response.body == body) \(length)")
        } test: { client async throws in
            #expect(try await client.get("/ask").text == "true true \(count)")
        }
    }

    @Test func `what is left of the deadline goes on, with the request's id and a span of its trace`() async throws {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        try await withClient { client async throws in
            Self.passOn(try await client.get("/"))
        } test: { client async throws in
            let response = try await client.get(
                "/ask",
                headers: [
                    "X-Request-Id": "abc", "traceparent": "00-\(trace)-00f067aa0ba902b7-01", "tracestate": "a=1",
                    "grpc-timeout": "60S",
                ]
            )
            let left = try #require(response.headers["Saw-x-envoy-expected-rq-timeout-ms"].flatMap { Int($0) })
            #expect((1...60000).contains(left))
            #expect(response.headers["Saw-X-Request-Id"] == "abc")
            let parent = try #require(response.headers["Saw-traceparent"])
            #expect(parent.hasPrefix("00-\(trace)-") && parent.hasSuffix("-01"))
            #expect(!parent.contains("00f067aa0ba902b7"))
            #expect(response.headers["Saw-tracestate"] == "a=1")
            #expect(response.headers["Saw-grpc-timeout"] == "-")
        }
    }

    @Test(arguments: [[:], ["x-DEADLINE": "1h", "X-Deadline": "2h"]] as [Headers])
    func `the field of the settings takes the place of Envoy's, and of the handler's own`(
        headers: Headers
    ) async throws {
        try await withClient(deadlineHeader: "X-Deadline") { client async throws in
            Self.passOn(try await client.get("/", headers: headers))
        } test: { client async throws in
            let response = try await client.get("/ask")
            let left = try #require(response.headers["Saw-x-deadline"].flatMap { Int($0) })
            #expect((1...120_000).contains(left))
            #expect(response.headers["Count-x-deadline"] == "1")
            #expect(response.headers["Saw-x-envoy-expected-rq-timeout-ms"] == "-")
        }
    }

    @Test(
        arguments: [
            (["X-TRACK": "canary"], "x-track", [:], "canary"),
            (["x-track": "canary"], "X-Track", ["X-track": "mine"], "mine"),
            (["x-track": "canary"], "", [:], "-"),
            (["x-tracks": "canary"], "x-track", [:], "-"),
            (["x-track": ""], "x-track", [:], ""),
            (["x-track": "canary", "Connection": "x-track"], "x-track", [:], "-"),
        ] as [(Headers, String, Headers, String)]
    )
    func `the traffic tag goes on, as a gateway would pass it on, but what the handler says itself counts`(
        sent: Headers,
        name: String,
        own: Headers,
        seen: String
    ) async throws {
        try await withClient(tagHeader: name) { client async throws in
            Self.passOn(try await client.get("/", headers: own))
        } test: { client async throws in
            for _ in 0..<2 {
                #expect(try await client.get("/ask", headers: sent).headers["Saw-X-Track"] == seen)
            }
        }
    }

    @Test func `all calls of a request are of one trace, in a span each`() async throws {
        try await withClient { client async throws in
            async let one = client.get("/")
            async let other = client.get("/")
            let parents = [try await one, try await other].map { $0.headers["Saw-traceparent"] ?? "" }
            return .text(parents.joined(separator: " "))
        } test: { client async throws in
            let parents = try await client.get("/ask").text.split(separator: " ")
            #expect(Set(parents.map { $0.prefix(35) }).count == 1)
            #expect(Set(parents).count == 2)
        }
    }

    @Test func `what a handler says itself counts, but for framing and the deadline`() async throws {
        try await withClient { client async throws in
            Self.passOn(
                try await client.get(
                    "/",
                    headers: [
                        "Host": "stock.example", "X-Request-Id": "mine", "Connection": "close", "Content-Length": "9",
                        "Transfer-Encoding": "chunked", "Expect": "100-continue", "grpc-timeout": "1H",
                    ]
                )
            )
        } test: { client async throws in
            let response = try await client.get("/ask")
            #expect(response.headers["Saw-Host"] == "stock.example")
            #expect(response.headers["Saw-X-Request-Id"] == "mine")
            for name in ["Connection", "Content-Length", "Expect", "grpc-timeout"] {
                #expect(response.headers["Saw-\(name)"] == "-")
            }
        }
    }

    @Test func `the response to HEAD has no body, and the connection goes on`() async throws {
        try await withClient { client async throws in
            let head = try await client.send(ClientRequest(.head, "/", headers: ["X-One": "1"]))
            let next = try await client.get("/next")
            return .text("\(head.body.count) \(head.headers["X-Method"] ?? "") \(next.headers["X-Target"] ?? "")")
        } test: { client async throws in
            #expect(try await client.get("/ask").text == "0 HEAD /next")
        }
    }

    @Test(arguments: [
        ("GET", "no-slash"), ("GET", "/a b"), ("GET", "/a\r\nX: 1"), ("GET", "/ä"), ("GET", "/#f"), ("CONNECT", "/"),
    ])
    func `what cannot be sent is a mistake of the handler's`(method: String, target: String) async throws {
        try await withClient { client async throws in
            do {
                _ = try await client.send(ClientRequest(try #require(Method(rawValue: method)), target))
                return .text("sent")
            } catch let error as ClientError {
                if case .malformedRequest = error { throw error }
                return .text("\(error)")
            }
        } test: { client async throws in
            #expect(try await client.get("/ask").status == 500)
        }
    }

    @Test func `a field that would end its line is not sent`() async throws {
        try await withClient { client async throws in
            do {
                _ = try await client.get("/", headers: ["X-One": "1\r\nX-Two: 2"])
                return .text("sent")
            } catch ClientError.malformedRequest(let name) {
                return .text(name)
            }
        } test: { client async throws in
            #expect(try await client.get("/ask").text == "X-One")
        }
    }

    @Test func `an upstream that is not declared is a mistake of the handler's`() async throws {
        let app = makeApp()
        app.get("/ask") { _, context async throws in
            _ = try await context.client("nowhere").get("/")
            return .text("answered")
        }
        try await app.test { client async throws in #expect(try await client.get("/ask").status == 500) }
    }

    @Test func `an endpoint that is not there is 502 with the gateway's reason`() async throws {
        let folder = try ScratchFolder()
        let app = makeApp()
        app.upstream("stock", endpoints: "unix:\(folder.path)/none.sock")
        app.get("/ask") { _, context async throws in
            .text(try await context.client("stock").get("/").text)
        }
        app.get("/catch") { _, context async throws in
            do {
                return .text(try await context.client("stock").get("/").text)
            } catch ClientError.connect {
                return .text("no stock today")
            }
        }
        try await app.test { client async throws in
            let response = try await client.get("/ask")
            #expect(response.status == 502)
            #expect(response.text.contains(#""reason":"upstream_connect""#))
            #expect(try await client.get("/catch").text == "no stock today")
        }
    }

    @Test func `a response that is longer than was asked for is 502`() async throws {
        try await withClient { client async throws in
            .bytes(try await client.send(ClientRequest(.post, "/", body: [1, 2, 3]), upTo: .bytes(2)).body)
        } test: { client async throws in
            #expect(try await client.get("/ask").status == 502)
        }
    }

    @Test func `a call that no endpoint answers within what is left is not made`() async throws {
        let (asked, thrown) = (Notes(), Notes())
        let late = { (app: App) in
            app.get("/*path") { _, context async throws in
                asked.add("asked")
                try await context.sleep(for: .milliseconds(200))
                return .text("late")
            }
        }
        try await withClient(late, deadlineHeader: Self.unknown) { client async throws in
            do {
                return .text(try await client.get("/").text)
            } catch let error as ClientError {
                thrown.add("\(error)")
                throw error
            }
        } test: { client async throws in
            // More than half of the nine times that are kept.
            for _ in 0..<5 { #expect(try await client.get("/ask").text == "late") }
            let hurry: Headers = ["grpc-timeout": "100m"]
            // The first is made to see whether the endpoint is well, and ends at the deadline.
            #expect(try await client.get("/ask", headers: hurry).status == 504)
            for _ in 0..<3 {
                let response = try await client.get("/ask", headers: hurry)
                #expect(response.status == 504)
                #expect(response.text.contains(#""reason":"deadline_unmeetable""#))
            }
            #expect(thrown.all.filter { $0 == "deadlineUnmeetable" }.count == 3)
            #expect(asked.all.count == 6)
            #expect(client.rejected(.deadlineUnmeetable) == 3)
        }
    }

    @Test(arguments: [Placement.loop, .workers])
    func `a call ends with the request's deadline`(placement: Placement) async throws {
        let notes = Notes()
        try await withClient(Self.never, deadlineHeader: Self.unknown, on: placement) { client async throws in
            do {
                return .text(try await client.get("/").text)
            } catch {
                let isEnd = error is CancellationError || error as? ClientError == .deadlineExceeded
                notes.add(isEnd ? "ended" : "\(error)")
                throw error
            }
        } test: { client async throws in
            let response = try await client.get("/ask", headers: ["grpc-timeout": "50m"])
            #expect(response.status == 504)
            #expect(response.text.contains(#""reason":"deadline_exceeded""#))
            #expect(await eventuallyTrue { notes.all == ["ended"] })
        }
    }

    @Test func `a call that left its request's task ends with the deadline too`() async throws {
        let notes = Notes()
        try await withClient(Self.never, deadlineHeader: Self.unknown) { client async throws in
            Task {
                do {
                    _ = try await client.get("/")
                } catch {
                    notes.add("\(error)")
                }
            }
            return .text("begun")
        } test: { client async throws in
            #expect(try await client.get("/ask", headers: ["grpc-timeout": "50m"]).text == "begun")
            #expect(await eventuallyTrue { notes.all == ["deadlineExceeded"] })
        }
    }
}
