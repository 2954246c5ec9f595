// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir
import WeirTestSupport

@Suite(.timeLimit(.minutes(2))) struct ProxyTests {
    private static let host = "Host: h\r\nConnection: close\r\n"

    private struct Echo: Sendable {
        /// What came, as the answer's text: method, target, chosen fields, and the body's length.
        static func describe(_ request: Request, _ body: [UInt8]) -> Response {
            var response = Response.bytes(body)
            response.headers["X-Method"] = request.method.rawValue
            response.headers["X-Target"] = request.target
            response.headers["X-Host"] = request.host
            for name in ["X-One", "Via", "X-Forwarded-For", "X-Forwarded-Host", "Connection", "X-Hop"] {
                response.headers["Saw-\(name)"] = request.headers[name] ?? "-"
            }
            return response
        }

        static func install(_ app: App) {
            for method in [Method.get, .post, .put, .delete, .patch] {
                app.handleBody(.async, "/*path", method: method, upTo: .mebibytes(16)) { body, request in
                    describe(request, body)
                }
            }
        }
    }

    @Test func `a request goes to the endpoint, and its response comes back`() async throws {
        try await withUpstream(Echo.install) { client async throws in
            let response = try await client.get(
                "/a/%2e%2e/b%2C?x=1",
                headers: ["X-One": "1", "X-Hop": "1", "Host": "example.org"]
            )
            #expect(response.status == 200)
            #expect(response.headers["X-Method"] == "GET")
            #expect(response.headers["X-Target"] == "/b%2C?x=1")
            #expect(response.headers["X-Host"] == "example.org")
            #expect(response.headers["Saw-X-One"] == "1")
            #expect(response.headers["Saw-Via"] == "1.1 weir")
            #expect(response.headers["Saw-X-Forwarded-For"] == "unknown", "a Unix socket's client has no address")
            #expect(response.headers["Saw-X-Forwarded-Host"] == "example.org")
            #expect(response.headers["Saw-Connection"] == "-", "it was for us")
            #expect(response.headers["Content-Length"] == "0")
        }
    }

    @Test(arguments: [Method.get, .post, .put, .delete, .patch])
    func `each method goes on, with its body`(method: Method) async throws {
        try await withUpstream(Echo.install) { client async throws in
            let response = try await client.send(method, "/x", body: Array("body".utf8))
            #expect(response.headers["X-Method"] == method.rawValue)
            #expect(response.text == "body")
        }
    }

    @Test func `HEAD has the length of what it would be, and nothing of it`() async throws {
        try await withUpstream { app in
            app.get("/") { _, _ in .text("hello") }
        } test: { client async throws in
            let response = try await client.send(.head, "/")
            #expect(response.status == 200)
            #expect(response.headers["Content-Length"] == "5")
            #expect(response.body.isEmpty)
        }
    }

    @Test(arguments: [0, 1, 1000, 70_000, 3_000_000])
    func `a body of each length and framing arrives as it was, there and back`(count: Int) async throws {
        var random = SeededGenerator(seed: UInt64(count))
        let body = random.bytes(count)
        var chunked = Array("POST /x HTTP/1.1\r\n\(Self.host)Transfer-Encoding: chunked\r\n\r\n".utf8)
        var rest = body[...]
        while !rest.isEmpty {
            let piece = rest.prefix(1 + random.below(min(rest.count, 100_000)))
            chunked += Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + Array("\r\n".utf8)
            rest = rest.dropFirst(piece.count)
        }
        chunked += Array("0\r\nX-Trailer: t\r\n\r\n".utf8)
        try await withUpstream(Echo.install) { client async throws in
            let sized = try await client.post("/x", body: body)
            #expect(sized.status == 200)
            #expect(isEqual(sized.body, body))
            let responses = try WireResponse.all(in: try await client.exchange(chunked))
            #expect(responses.map(\.status) == [200])
            #expect(isEqual(responses.first?.body ?? [1], body))
        }
    }

    @Test func `trailers go both ways`() async throws {
        try await withUpstream { app in
            app.post("/") { request, _ in
                _ = try await request.body.collect()
                let trailers = request.body.trailers
                return .stream { writer in
                    try await writer.write("got ")
                    await writer.setTrailers(["X-Back": trailers["X-There"] ?? "none"])
                }
            }
        } test: { client async throws in
            let responses = try await client.exchange(
                "POST / HTTP/1.1\r\n\(Self.host)Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-There: yes\r\n\r\n"
            )
            #expect(responses.map(\.text) == ["got "])
            #expect(responses.first?.trailers.first?.name == "X-Back")
            #expect(responses.first?.trailers.first?.value == "yes")
        }
    }

    @Test(arguments: [true, false])
    func `both bodies flow at the same time, held back on both sides`(isChunked: Bool) async throws {
        var random = SeededGenerator(seed: 5)
        let body = random.bytes(4_000_000)
        try await withUpstream { app in
            app.post("/") { request, _ in
                .stream { writer in
                    for try await piece in request.body { try await writer.write(piece) }
                }
            }
        } test: { client async throws in
            var bytes = Array("POST / HTTP/1.1\r\n\(Self.host)".utf8)
            if isChunked {
                bytes += Array("Transfer-Encoding: chunked\r\n\r\n\(String(body.count, radix: 16))\r\n".utf8) + body
                bytes += Array("\r\n0\r\n\r\n".utf8)
            } else {
                bytes += Array("Content-Length: \(body.count)\r\n\r\n".utf8) + body
            }
            let responses = try WireResponse.all(in: try await client.exchange(bytes))
            #expect(responses.map(\.status) == [200])
            #expect(responses.first?.isWhole == true)
            #expect(isEqual(responses.first?.body ?? [], body))
        }
    }

    @Test func `pipelined requests are answered in their order`() async throws {
        try await withUpstream(Echo.install) { client async throws in
            var text = ""
            for number in 0..<40 { text += "GET /\(number) HTTP/1.1\r\nHost: h\r\n\r\n" }
            text += "POST /40 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
            text += "GET /41 HTTP/1.1\r\n\(Self.host)\r\n"
            let responses = try await client.exchange(text)
            #expect(responses.map { $0["X-Target"] } == (0...41).map { "/\($0)" })
            #expect(responses[40].text == "body")
        }
    }

    @Test func `many requests share the few connections that there may be`() async throws {
        try await withUpstream {
            Echo.install($0)
        } settings: {
            $0.upstream.connectionsMax = 2
        } test: { client async throws in
            try await withThrowingTaskGroup(of: TestResponse.self) { group in
                for number in 0..<40 {
                    group.addTask { try await client.post("/\(number)", body: Array("\(number)".utf8)) }
                }
                var numbers: Set<String> = []
                for try await response in group {
                    #expect(response.status == 200)
                    numbers.insert(response.text)
                }
                #expect(numbers.count == 40)
            }
        }
    }

    @Test func `who may not wait for a connection is told to come again`() async throws {
        let gate = Gate()
        try await withUpstream { app in
            app.get("/slow", on: .workers) { _, _ in
                gate.pass()
                return .text("slow")
            }
        } settings: {
            $0.upstream.connectionsMax = 1
            $0.upstream.waitingMax = 0
        } test: { client async throws in
            async let slow = client.get("/slow")
            #expect(await eventuallyTrue { gate.waitingCount == 1 })
            let refused = try await client.get("/slow")
            #expect(refused.status == 503)
            #expect(refused.headers["Retry-After"] == "1")
            #expect(refused.text.contains("\"reason\":\"no_endpoint\""))
            gate.open()
            #expect(try await slow.text == "slow")
        }
    }

    // MARK: Middleware

    private struct Adding: Middleware {
        func handle(_ request: Request, _ context: RequestContext, next: NextHandler) async throws -> Response {
            var response = try await next(request, context)
            response.headers["X-Added"] = "by middleware"
            return response
        }
    }

    private struct Refusing: Middleware {
        func handle(_ request: Request, _ context: RequestContext, next: NextHandler) async throws -> Response {
            guard request.headers["Authorization"] != nil else { throw HTTPError(.unauthorized, "who are you?") }
            return try await next(request, context)
        }
    }

    @Test(arguments: [0, 10, 2_000_000])
    func `middleware around a proxied route adds fields, and lets the body through`(count: Int) async throws {
        var random = SeededGenerator(seed: 9)
        let body = random.bytes(count)
        try await withUpstream {
            Echo.install($0)
        } gateway: { app, upstream in
            app.use(Adding())
            app.use(RequestID())
            app.proxy("/*path", to: upstream)
        } test: { client async throws in
            let response = try await client.post("/x", headers: ["X-Request-Id": "given"], body: body)
            #expect(response.status == 200)
            #expect(response.headers["X-Added"] == "by middleware")
            #expect(response.headers["X-Request-Id"] == "given")
            #expect(response.headers["X-Target"] == "/x")
            #expect(isEqual(response.body, body))
            // The next request over that connection has fields of its own.
            let responses = try await client.exchange(
                "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\n\(Self.host)\r\n"
            )
            #expect(responses.map { $0["X-Target"] } == ["/1", "/2"])
            #expect(responses.allSatisfy { $0.count("X-Added") == 1 })
        }
    }

    private struct Reading: Middleware {
        func handle(_ request: Request, _ context: RequestContext, next: NextHandler) async throws -> Response {
            _ = try await request.body.collect()
            return try await next(request, context)
        }
    }

    @Test func `a request whose body middleware has read is not passed on without it`() async throws {
        let notes = Notes()
        try await withUpstream { app in
            app.post("/x") { _, _ in
                notes.add("asked")
                return .text("x")
            }
        } gateway: { app, upstream in
            app.use(Reading())
            app.proxy("/*path", to: upstream)
        } test: { client async throws in
            #expect(try await client.post("/x", body: Array("body".utf8)).status == 500)
            #expect(notes.all.isEmpty)
            #expect(try await client.post("/x", body: []).text == "x")
        }
    }

    private struct Holding: Middleware {
        let gate: Gate

        func handle(_ request: Request, _ context: RequestContext, next: NextHandler) async throws -> Response {
            if request.path == "/left" {
                // Not a sleep, which a cancelled task does not take.
                while !gate.hasOpened { await context.yield() }
            }
            return try await next(request, context)
        }
    }

    @Test func `a client that leaves while middleware works costs the endpoint nothing, and nobody gets its answer`()
        async throws
    {
        let gate = Gate()
        let notes = Notes()
        let folder = try ScratchFolder()
        let upstreamLog = CapturedLog()
        let upstream = makeApp(log: upstreamLog) {
            $0.listen = [.unix(path: "\(folder.path)/up.sock", mode: 0o600)]
        }
        upstream.get("/:name", on: .loop) { request, _ in
            let name = try request.parameter("name")
            notes.add(name)
            return .text(name)
        }
        let behind = try await RunningApp(upstream, log: upstreamLog)
        let log = CapturedLog()
        let app = makeApp(log: log) {
            $0.listen = [.tcp(host: "127.0.0.1", port: 0)]
        }
        app.use(Holding(gate: gate))
        app.proxy("/*path", to: .endpoints("unix:\(folder.path)/up.sock", name: "up"))
        let running = try await RunningApp(app, log: log)
        let address = try #require(running.addresses.first)
        let leaving = try RawClient(address)
        leaving.send("GET /left HTTP/1.1\r\nHost: h\r\n\r\n")
        leaving.endSending()
        // Answered on the same loop: what the other has sent, and its end, have come.
        for name in ["one", "two"] {
            let other = try RawClient(address)
            other.send("GET /\(name) HTTP/1.1\r\n\(Self.host)\r\n")
            #expect(try await WireResponse.all(in: other.receiveToEnd()).map(\.text) == [name])
        }
        gate.open()
        #expect(await leaving.receiveToEnd().isEmpty)
        let last = try RawClient(address)
        last.send("GET /three HTTP/1.1\r\n\(Self.host)\r\n")
        #expect(try await WireResponse.all(in: last.receiveToEnd()).map(\.text) == ["three"])
        #expect(notes.all == ["one", "two", "three"])
        try await running.stop()
        try await behind.stop()
    }

    @Test func `middleware may answer instead of the endpoint`() async throws {
        let notes = Notes()
        try await withUpstream { app in
            app.get("/x") { _, _ in
                notes.add("asked")
                return .text("x")
            }
        } gateway: { app, upstream in
            app.use(Refusing())
            app.proxy("/*path", to: upstream)
        } test: { client async throws in
            #expect(try await client.get("/x").status == 401)
            #expect(notes.all.isEmpty)
            #expect(try await client.get("/x", headers: ["Authorization": "me"]).text == "x")
            #expect(notes.all == ["asked"])
        }
    }

    @Test func `routes of one's own stand beside those that are passed on`() async throws {
        try await withUpstream {
            Echo.install($0)
        } gateway: { app, upstream in
            app.proxy("/*path", to: upstream)
            app.get("/own", on: .loop) { _, _ in .text("mine") }
        } test: { client async throws in
            #expect(try await client.get("/own").text == "mine")
            #expect(try await client.get("/other").headers["X-Target"] == "/other")
        }
    }

    // MARK: Failures

    @Test func `a request beside a dead endpoint goes to one that lives`() async throws {
        let log = CapturedLog()
        let alive = makeApp(log: log) {
            $0.listen = [.tcp(host: "127.0.0.1", port: 0)]
        }
        alive.get("/") { _, _ in .text("alive") }
        let running = try await RunningApp(alive, log: log)
        let address = try #require(running.addresses.first)
        let deadAddress = try await Self.deadPort()
        let app = makeApp()
        app.proxy("/", to: .endpoints("http://\(deadAddress);weight=9", "http://\(address)", name: "up"))
        try await app.test { client async throws in
            for _ in 0..<30 { #expect(try await client.get("/").text == "alive") }
        }
        try await running.stop()
    }

    @Test func `an endpoint that is not there is a 502 that says so`() async throws {
        let folder = try ScratchFolder()
        let app = makeApp()
        app.proxy("/", to: .endpoints("unix:\(folder.path)/nobody", name: "up"))
        try await app.test { client async throws in
            let response = try await client.get("/")
            #expect(response.status == 502)
            #expect(response.headers["Content-Type"] == "application/problem+json")
            let problem = try ProblemDocument(response)
            #expect(problem.detail == "the upstream cannot be reached")
            #expect(response.text.contains("\"reason\":\"upstream_connect\""))
        }
    }

    @Test func `an endpoint that does not answer in time is a 504, and is let go`() async throws {
        let gate = Gate()
        try await withUpstream { app in
            app.get("/slow", on: .workers) { _, _ in
                gate.pass()
                return .text("late")
            }
        } settings: {
            $0.deadline = .milliseconds(150)
        } test: { client async throws in
            #expect(try await client.get("/slow").status == 504)
            gate.open()
        }
    }

    @Test(arguments: ["Content-Length: 60000", "Transfer-Encoding: chunked"])
    func `a body that nobody takes does not harm what comes behind it`(framing: String) async throws {
        var body = String(repeating: "b", count: 60_000)
        if framing.hasPrefix("Transfer") { body = "EA60\r\n\(body)\r\n0\r\n\r\n" }
        let folder = try ScratchFolder()
        let port = try await Self.deadPort()
        let app = makeApp()
        app.proxy("/socket", to: .endpoints("unix:\(folder.path)/nobody", name: "socket"))
        app.proxy("/port", to: .endpoints("http://\(port)", name: "port"))
        app.get("/own", on: .loop) { _, _ in .text("mine") }
        try await app.test { client async throws in
            for path in ["/socket", "/port"] {
                let responses = try await client.exchange(
                    "POST \(path) HTTP/1.1\r\nHost: h\r\n\(framing)\r\n\r\n\(body)GET /own HTTP/1.1\r\n\(Self.host)\r\n"
                )
                #expect(responses.map(\.status) == [502, 200], "\(path)")
                #expect(responses.last?.text == "mine")
            }
        }
    }

    @Test func `who waits for a connection until its deadline is told, and does not come back`() async throws {
        let gate = Gate()
        let notes = Notes()
        try await withUpstream { app in
            app.get("/slow", on: .workers) { _, _ in
                gate.pass()
                return .text("slow")
            }
            app.get("/quick") { _, _ in
                notes.add("quick")
                return .text("quick")
            }
        } gateway: { app, upstream in
            app.proxy("/slow", to: upstream)
            app.proxy("/quick", to: upstream, .deadline(.milliseconds(100)))
            app.proxy("/*path", to: upstream)
        } settings: {
            $0.upstream.connectionsMax = 1
        } test: { client async throws in
            async let slow = client.get("/slow")
            #expect(await eventuallyTrue { gate.waitingCount == 1 })
            for _ in 0..<3 { #expect(try await client.get("/quick").status == 504) }
            gate.open()
            #expect(try await slow.text == "slow")
            #expect(notes.all.isEmpty, "nobody asked for it any more")
            #expect(try await client.get("/other").status == 404)
        }
    }

    @Test func `a client that leaves while it waits for a connection is forgotten`() async throws {
        let gate = Gate()
        let notes = Notes()
        let folder = try ScratchFolder()
        let upstreamLog = CapturedLog()
        let upstream = makeApp(log: upstreamLog) {
            $0.listen = [.unix(path: "\(folder.path)/up.sock", mode: 0o600)]
        }
        upstream.get("/slow", on: .workers) { _, _ in
            gate.pass()
            return .text("slow")
        }
        upstream.get("/:name") { request, _ in
            notes.add(try request.parameter("name"))
            return .text("here")
        }
        let behind = try await RunningApp(upstream, log: upstreamLog)
        let log = CapturedLog()
        let app = makeApp(log: log) {
            $0.listen = [.tcp(host: "127.0.0.1", port: 0)]
            $0.upstream.connectionsMax = 1
        }
        app.proxy("/*path", to: .endpoints("unix:\(folder.path)/up.sock", name: "up"))
        let running = try await RunningApp(app, log: log)
        let address = try #require(running.addresses.first)
        let clients = try (0..<4).map { _ in try RawClient(address) }
        clients[0].send("GET /slow HTTP/1.1\r\n\(Self.host)\r\n")
        #expect(await eventuallyTrue { gate.waitingCount == 1 })
        clients[1].send("GET /left HTTP/1.1\r\n\(Self.host)\r\n")
        clients[2].send("POST /left HTTP/1.1\r\n\(Self.host)Content-Length: 10\r\n\r\nhalf")
        clients[3].send("GET /stayed HTTP/1.1\r\n\(Self.host)\r\n")
        for client in clients[1...2] { client.close() }
        // Another connection of the same loop is answered: what was sent before has come.
        let last = try RawClient(address)
        last.send("GET / HTTP/1.1\r\nHost: h\r\nUpgrade-Insecure-Requests: 1\r\nContent-Length: x\r\n\r\n")
        #expect(try await WireResponse.all(in: last.receiveToEnd()).map(\.status) == [400])
        gate.open()
        #expect(try await WireResponse.all(in: clients[0].receiveToEnd()).map(\.text) == ["slow"])
        #expect(try await WireResponse.all(in: clients[3].receiveToEnd()).map(\.text) == ["here"])
        #expect(notes.all == ["stayed"])
        try await running.stop()
        try await behind.stop()
    }

    // MARK: What stops the start

    @Test func `a name that is not in the settings stops the start`() async throws {
        let app = makeApp()
        app.proxy("/*path", to: .upstream("orders"))
        #expect(
            try await startError(app)
                == "upstream \"orders\" of a route is not in the settings; expected WEIR_UPSTREAM with its endpoints"
        )
        let other = makeApp { $0.upstream.endpoints = ["http://127.0.0.1:1"] }
        other.proxy("/a", to: .upstream("orders"))
        other.proxy("/b", to: .upstream("default"))
        #expect(
            try await startError(other)
                == "upstream \"orders\" of a route is not in the settings; expected one of: default"
        )
        // The name of WEIR_UPSTREAM may be listed in one place.
        let twice = makeApp { $0.upstream.endpoints = ["http://127.0.0.1:1"] }
        twice.proxy("/c", to: .endpoints("http://127.0.0.1:2", name: "default"))
        #expect(try await startError(twice) == "upstream \"default\" is there twice; give one another name")
    }

    @Test func `two lists under one name stop the start, one list twice does not`() async throws {
        let app = makeApp()
        app.proxy("/a", to: .endpoints("http://127.0.0.1:1", name: "up"))
        app.proxy("/b", to: .endpoints("http://127.0.0.1:2", name: "up"))
        #expect(try await startError(app) == "upstream \"up\" is there twice; give one another name")
        let same = makeApp()
        same.proxy("/a", to: .endpoints("http://127.0.0.1:1", name: "up"))
        same.proxy("/b", to: .endpoints("http://127.0.0.1:1", name: "up"))
        same.proxy("/c", to: .upstream("up"))
        #expect(try await startError(same) == nil)
    }

    @Test func `a route may name what another route lists, wherever it stands`() async throws {
        try await withUpstream {
            Echo.install($0)
        } gateway: { app, upstream in
            app.proxy("/by-name", to: .upstream("up"))
            app.proxy("/listed", to: upstream)
        } test: { client async throws in
            for path in ["/by-name", "/listed"] { #expect(try await client.get(path).headers["X-Target"] == path) }
        }
    }

    @Test(arguments: [
        "ftp://127.0.0.1", "127.0.0.1:80", "http://127.0.0.1:0", "http://h;weight=0", "", "http://a\nb",
    ])
    func `an endpoint that is none stops the start with one line`(endpoint: String) async throws {
        let app = makeApp()
        app.proxy("/*path", to: .endpoints(endpoint, name: "up"))
        let error = try #require(try await startError(app))
        #expect(error.hasPrefix("upstream \"up\": "))
        #expect(!error.contains("\n"))
    }

    /// A port that was somebody's, and is nobody's now.
    private static func deadPort() async throws -> String {
        let log = CapturedLog()
        let dying = makeApp(log: log) {
            $0.listen = [.tcp(host: "127.0.0.1", port: 0)]
        }
        let running = try await RunningApp(dying, log: log)
        let address = try #require(running.addresses.first)
        try await running.stop()
        return address
    }

    /// What the app says instead of starting.
    private func startError(_ app: App) async throws -> String? {
        do {
            try await app.test { _ async throws in }
            return nil
        } catch let error as AppError {
            return "\(error)"
        }
    }
}
