// SPDX-License-Identifier: Apache-2.0
// How long a connection lives, and what ends it.

import Testing
import Weir
import WeirTestSupport

@Suite(.timeLimit(.minutes(2))) struct ConnectionTests {
    private static let keep = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    private static let closing = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

    private func makeHello(_ change: (inout Settings) -> Void = { _ in }) -> App {
        let app = makeApp(change)
        app.get("/", on: .loop) { _, _ in .text("hello") }
        return app
    }

    private func makeApp(_ change: (inout Settings) -> Void) -> App {
        WeirTests.makeApp(log: CapturedLog(), change)
    }

    @Test func `the last request that a connection may carry is answered with Connection close`() async throws {
        try await makeHello { $0.limits.requestsPerConnection = 3 }.test { client async throws in
            let responses = try await client.exchange(String(repeating: Self.keep, count: 5))
            #expect(responses.map { $0["Connection"] } == [nil, nil, "close"])
        }
    }

    @Test func `HTTP 1.0 connections close unless they ask to be kept`() async throws {
        try await makeHello().test { client async throws in
            let closed = try await client.exchange("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n")
            #expect(closed.map { $0["Connection"] } == ["close"])
            let kept = try await client.exchange(
                "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n"
            )
            #expect(kept.map { $0["Connection"] } == ["keep-alive", "close"])
        }
    }

    @Test func `an idle connection is closed without a word`() async throws {
        try await makeHello { $0.timeouts.keepAlive = .milliseconds(20) }.test { client async throws in
            #expect(try await client.exchange(Array("".utf8)).isEmpty)
            #expect(try await client.exchange(Self.keep).map(\.text) == ["hello"])
        }
    }

    @Test(arguments: ["G", "GET / HTTP/1.1\r\nHost:", "GET / HTTP/1.1\r\nHost: h\r\n"])
    func `a head that does not come to its end is 408`(head: String) async throws {
        try await makeHello { $0.timeouts.head = .milliseconds(20) }.test { client async throws in
            let responses = try await client.exchange(head)
            #expect(responses.map(\.status) == [408])
            #expect(responses.first?["Connection"] == "close")
            #expect(try await client.exchange(Self.keep + head).map(\.status) == [200, 408])
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `a body that does not come to its end is 408`(kind: HandlerKind) async throws {
        let app = makeApp { $0.timeouts.body = .milliseconds(20) }
        app.handleBody(kind, "/") { body, _ in .bytes(body) }
        try await app.test { client async throws in
            for body in ["Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n5\r\nha"] {
                let responses = try await client.exchange("POST / HTTP/1.1\r\nHost: h\r\n\(body)")
                #expect(responses.map(\.status) == [408], "\(body)")
                #expect(responses.first?["Connection"] == "close")
            }
        }
    }

    @Test func `a connection that has grown old is closed after its answer`() async throws {
        let log = CapturedLog()
        let folder = try ScratchFolder()
        let app = WeirTests.makeApp(log: log) {
            $0.listen = [.unix(path: "\(folder.path)/s", mode: nil)]
            $0.limits.connectionAge = .seconds(1)
        }
        app.get("/", on: .loop) { _, _ in .text("hello") }
        let running = try await RunningApp(app, log: log)
        let client = try RawClient("unix:\(folder.path)/s")
        var last: WireResponse?
        for _ in 0..<100_000 where last?["Connection"] == nil {
            client.send(Self.keep)
            guard let response = try await WireResponse.all(in: client.receive()).first else { break }
            last = response
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(await client.receive().isEmpty)
        #expect(last?.status == 200)
        try await running.stop()
    }

    @Test(arguments: [
        ("GET /\(String(repeating: "a", count: 300)) HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: \(String(repeating: "a", count: 1100))\r\n\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: h\r\n\(String(repeating: "A: b\r\n", count: 9))\r\n", 431),
        ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505), ("\0\0\0\0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nExpect: fish\r\n\r\n", 417), ("GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ])
    func `a request that breaks a rule is refused`(request: String, status: Int) async throws {
        let app = makeHello {
            $0.limits.requestLineBytes = 256
            $0.limits.headerBytes = 1024
            $0.limits.headerFields = 8
        }
        try await app.test { client async throws in
            let responses = try await client.exchange(request + Self.closing)
            #expect(responses.first?.status == status)
            #expect(responses.first?["Content-Type"] == "application/problem+json")
            // A wrong path leaves no doubt where the next request begins; every other fault does.
            #expect(responses.count == (request.contains("%zz") ? 2 : 1))
            #expect(responses.last?["Connection"] == "close")
        }
    }

    @Test(arguments: HandlerKind.allCases, [1, 2, 5])
    func `a client that ends its side behind its requests gets every answer, then the end`(
        kind: HandlerKind,
        count: Int
    ) async throws {
        let log = CapturedLog()
        let folder = try ScratchFolder()
        let app = WeirTests.makeApp(log: log) { $0.listen = [.unix(path: "\(folder.path)/s", mode: nil)] }
        app.handle(kind, "/:n") { request, _ in .text(try request.parameter("n")) }
        let running = try await RunningApp(app, log: log)
        let client = try RawClient("unix:\(folder.path)/s")
        client.send((0..<count).map { "GET /\($0) HTTP/1.1\r\nHost: h\r\n\r\n" }.joined())
        client.endSending()
        let responses = try await WireResponse.all(in: client.receiveToEnd())
        #expect(responses.map(\.text) == (0..<count).map(String.init))
        client.close()
        try await running.stop()
    }

    @Test func `a body that stops behind an early answer is not waited for`() async throws {
        let log = CapturedLog()
        let folder = try ScratchFolder()
        let app = WeirTests.makeApp(log: log) {
            $0.listen = [.unix(path: "\(folder.path)/s", mode: nil)]
            $0.limits.bodyWindowBytes = 4096
            $0.timeouts.body = .milliseconds(100)
        }
        let gate = Gate()
        app.post("/", on: .workers) { _, _ async in
            gate.pass()
            return .text("early")
        }
        let running = try await RunningApp(app, log: log)
        let client = try RawClient("unix:\(folder.path)/s")
        client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n")
        client.send([UInt8](repeating: 97, count: 40_000))
        // More has come than the window holds, so the channel is paused when the answer comes.
        client.waitUntilTaken()
        gate.open()
        let responses = try await WireResponse.all(in: client.receiveToEnd())
        #expect(responses.first?.text == "early")
        client.close()
        try await running.stop()
    }

    @Test func `many connections at once are all answered`() async throws {
        let app = makeApp { _ in }
        for kind in HandlerKind.allCases { app.handle(kind, "/\(kind)") { _, _ in .text("\(kind)") } }
        try await app.test { client async throws in
            let right = try await withThrowingTaskGroup(of: Bool.self) { group in
                for index in 0..<200 {
                    let kind = HandlerKind.allCases[index % 4]
                    group.addTask { try await client.get("/\(kind)").text == "\(kind)" }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(right == 200)
        }
    }
}
