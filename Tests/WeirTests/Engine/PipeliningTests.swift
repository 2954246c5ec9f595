// SPDX-License-Identifier: Apache-2.0
// Several requests on one connection: answered in order, however their bytes arrive.

import Testing
import Weir
import WeirTestSupport

@Suite(.timeLimit(.minutes(3))) struct PipeliningTests {
    private static func makeRoutes(_ app: App) {
        for kind in HandlerKind.allCases {
            app.handle(kind, "/\(kind)/:n") { request, _ in .text("\(kind) \(try request.parameter("n"))") }
            app.handleBody(kind, "/\(kind)") { body, _ in .bytes(body) }
        }
        app.get("/stream/:n") { request, _ in
            let n = try request.parameter("n")
            return .stream { writer in
                try await writer.write("stream ")
                await Task.yield()
                try await writer.write(n)
            }
        }
    }

    @Test func `requests in one write are answered in order, whatever their handlers`() async throws {
        let app = makeApp()
        Self.makeRoutes(app)
        let targets = HandlerKind.allCases.map { "\($0)" } + ["stream"]
        try await app.test { client async throws in
            for seed in 0..<20 {
                var random = SeededGenerator(seed: UInt64(seed))
                let names = (0..<30).map { _ in targets[Int.random(in: 0..<targets.count, using: &random)] }
                var text = ""
                for (index, name) in names.enumerated() {
                    let last = index == names.count - 1 ? "Connection: close\r\n" : ""
                    text += "GET /\(name)/\(index) HTTP/1.1\r\nHost: h\r\n\(last)\r\n"
                }
                let responses = try await client.exchange(text)
                let expected = names.enumerated().map { "\($1) \($0)" }
                #expect(responses.map(\.text) == expected, "seed \(seed)")
            }
        }
    }

    @Test func `bodies between pipelined requests stay with theirs`() async throws {
        let app = makeApp()
        Self.makeRoutes(app)
        try await app.test { client async throws in
            var text = ""
            var expected: [String] = []
            for round in 0..<8 {
                let kind = HandlerKind.allCases[round % 4]
                let body = String(repeating: "\(round)", count: round * 1000)
                text += "POST /\(kind) HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                expected.append(body)
                let chunk = String(body.utf8.count, radix: 16)
                let coding = body.isEmpty ? "" : "\(chunk)\r\n\(body)\r\n"
                text += "POST /\(kind) HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\(coding)0\r\n\r\n"
                expected.append(body)
            }
            text += "GET /loop/end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
            expected.append("loop end")
            let responses = try await client.exchange(text)
            #expect(responses.map(\.text) == expected)
        }
    }

    @Test func `behind Connection close nothing is answered`() async throws {
        let app = makeApp()
        Self.makeRoutes(app)
        try await app.test { client async throws in
            let responses = try await client.exchange(
                "GET /loop/1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /loop/2 HTTP/1.1\r\nHost: h\r\n\r\n"
            )
            #expect(responses.map(\.text) == ["loop 1"])
        }
    }

    @Test func `a fault ends the connection behind the answers to what came before it`() async throws {
        let app = makeApp()
        Self.makeRoutes(app)
        try await app.test { client async throws in
            let responses = try await client.exchange(
                "GET /async/1 HTTP/1.1\r\nHost: h\r\n\r\nGET /workers/2 HTTP/1.1\r\nHost: h\r\n\r\n"
                    + "GET /loop/3 HTTP/1.1\r\n\r\nGET /loop/4 HTTP/1.1\r\nHost: h\r\n\r\n"
            )
            #expect(responses.map(\.status) == [200, 200, 400])
        }
    }

    @Test func `a thousand pipelined requests of a client that reads late are all answered`() async throws {
        let app = makeApp {
            $0.limits.outputWindowBytes = 16384
            $0.limits.requestsPerConnection = 10_000
            $0.timeouts.keepAlive = .seconds(10)
        }
        app.get("/:n", on: .loop) { request, _ in
            .text(try request.parameter("n") + String(repeating: ".", count: 2000))
        }
        try await app.test { client async throws in
            let text = (0..<1000).map { "GET /\($0) HTTP/1.1\r\nHost: h\r\n\r\n" }.joined()
            let responses = try await client.exchange(text + "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            #expect(responses.enumerated().allSatisfy { $1.text.hasPrefix($0 == 1000 ? "x." : "\($0).") })
            #expect(responses.count == 1001)
        }
    }

    private static let conversation =
        "GET /loop/1 HTTP/1.1\r\nHost: h\r\n\r\n"
        + "POST /async HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n"
        + "GET /workers/2 HTTP/1.1\r\nHost: h\r\n\r\n"
        + "POST /loop HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nfour"
        + "GET /stream/3 HTTP/1.1\r\nHost: h\r\n\r\n"
        + "POST /asyncOnWorkers HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz"
        + "GET /async/4 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    private static let answers = ["loop 1", "abcde", "workers 2", "four", "stream 3", "xyz", "async 4"]

    @Test func `the same bytes split at every position give the same answers`() async throws {
        let log = CapturedLog()
        let folder = try ScratchFolder()
        let app = makeApp(log: log) { $0.listen = [.unix(path: "\(folder.path)/s", mode: nil)] }
        Self.makeRoutes(app)
        let running = try await RunningApp(app, log: log)
        let bytes = Array(Self.conversation.utf8)
        for position in 1..<bytes.count {
            let client = try RawClient("unix:\(folder.path)/s")
            client.send(bytes[..<position])
            client.waitUntilTaken()
            client.send(bytes[position...])
            let responses = try await WireResponse.all(in: client.receiveToEnd())
            try #require(responses.map(\.text) == Self.answers, "split at \(position)")
        }
        try await running.stop()
    }

    @Test func `the same bytes one at a time give the same answers`() async throws {
        let log = CapturedLog()
        let folder = try ScratchFolder()
        let app = makeApp(log: log) { $0.listen = [.unix(path: "\(folder.path)/s", mode: nil)] }
        Self.makeRoutes(app)
        let running = try await RunningApp(app, log: log)
        for bytesAtOnce in [1, 2, 3, 7] {
            let client = try RawClient("unix:\(folder.path)/s")
            var rest = Array(Self.conversation.utf8)[...]
            while !rest.isEmpty {
                client.send(rest.prefix(bytesAtOnce))
                client.waitUntilTaken()
                rest = rest.dropFirst(bytesAtOnce)
            }
            let responses = try await WireResponse.all(in: client.receiveToEnd())
            #expect(responses.map(\.text) == Self.answers, "\(bytesAtOnce) at once")
        }
        try await running.stop()
    }
}
