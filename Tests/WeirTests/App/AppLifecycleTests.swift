// SPDX-License-Identifier: Apache-2.0

import Glibc
import ServiceLifecycle
import Testing
import Weir
import WeirEventLoop
import WeirTestSupport

@Suite(.timeLimit(.minutes(2))) struct AppLifecycleTests {
    private static let loopback = [ListenAddress.tcp(host: "127.0.0.1", port: 0)]
    private static let keep = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    private func makeListening(_ text: String, log: CapturedLog, _ change: (inout Settings) -> Void = { _ in }) -> App {
        let app = makeApp(log: log) {
            $0.listen = Self.loopback
            change(&$0)
        }
        app.get("/", on: .loop) { _, _ in .text(text) }
        return app
    }

    @Test func `two apps in one process know nothing of each other`() async throws {
        let logs = [CapturedLog(), CapturedLog()]
        let first = try await RunningApp(makeListening("first", log: logs[0]), log: logs[0])
        let second = try await RunningApp(makeListening("second", log: logs[1]), log: logs[1])
        let clients = try [first, second].map { try RawClient(try #require($0.addresses.first)) }
        for client in clients { client.send(Self.keep) }
        #expect(try await WireResponse.all(in: clients[0].receive()).map(\.text) == ["first"])
        #expect(try await WireResponse.all(in: clients[1].receive()).map(\.text) == ["second"])
        try await first.stop()
        #expect(await clients[0].receive().isEmpty)
        clients[1].send(Self.keep)
        #expect(try await WireResponse.all(in: clients[1].receive()).map(\.text) == ["second"])
        try await second.stop()
        #expect(await clients[1].receive().isEmpty)
    }

    @Test func `two apps under test in one process know nothing of each other`() async throws {
        let first = makeListening("first", log: CapturedLog())
        let second = makeListening("second", log: CapturedLog())
        try await first.test { one async throws in
            try await second.test { two async throws in
                #expect(try await one.get("/").text == "first")
                #expect(try await two.get("/").text == "second")
            }
            #expect(try await one.get("/").text == "first")
        }
    }

    @Test func `an app can be tested again and again`() async throws {
        let app = makeListening("again", log: CapturedLog())
        for _ in 0..<20 {
            try await app.test { client async throws in #expect(try await client.get("/").text == "again") }
        }
    }

    @Test func `an app that has ended is let go with all that it held`() async throws {
        final class Held: Sendable {}
        weak var held: Held?
        do {
            let app = makeListening("x", log: CapturedLog())
            let value = Held()
            held = value
            app.get("/held") { _, _ in
                await Task.yield()
                return .text("\(type(of: value))")
            }
            app.get("/blocking", on: .workers) { _, _ in .text("\(type(of: value))") }
            try await app.test { client async throws in
                #expect(try await client.get("/held").text == "Held")
                #expect(try await client.get("/blocking").text == "Held")
            }
        }
        #expect(await eventuallyTrue { held == nil })
    }

    @Test func `what the body of a test throws is thrown`() async throws {
        struct Stop: Error {}
        let app = makeListening("x", log: CapturedLog())
        await #expect(throws: Stop.self) { try await app.test { _ async throws in throw Stop() } }
    }

    @Test func `a service group shuts an app down gracefully`() async throws {
        let log = CapturedLog()
        let running = try await RunningApp(makeListening("x", log: log), log: log)
        let address = try #require(running.addresses.first)
        #expect(address.hasPrefix("127.0.0.1:") && !address.hasSuffix(":0"))
        let idle = try RawClient(address)
        idle.send(Self.keep)
        #expect(try await WireResponse.all(in: idle.receive()).map(\.status) == [200])
        await running.group.triggerGracefulShutdown()
        #expect(await idle.receive().isEmpty)
        idle.close()
        try await running.stop()
        #expect(log.entry("drained") != nil)
        #expect(throws: RawClient.Refused.self) { _ = try RawClient(address) }
    }

    @Test(arguments: [HandlerKind.workers, .async, .asyncOnWorkers])
    func `what is in flight when an app shuts down is answered, with Connection close`(kind: HandlerKind) async throws {
        let log = CapturedLog()
        let app = makeListening("x", log: log)
        let gate = Gate()
        let begun = Notes()
        let blocking: @Sendable (Request, RequestContext) throws -> Response = { _, _ in
            begun.add("begun")
            gate.pass()
            return .text("done")
        }
        let waiting: @Sendable (Request, RequestContext) async throws -> Response = { _, _ in
            begun.add("begun")
            guard await eventuallyTrue({ log.entry("draining") != nil }) else { return .text("no drain") }
            return .text("done")
        }
        if kind == .workers {
            app.add(RouteDeclaration(.get, "/slow", on: .workers, use: blocking))
        } else {
            app.add(RouteDeclaration(.get, "/slow", on: kind.placement, use: waiting))
        }
        let running = try await RunningApp(app, log: log)
        let client = try RawClient(try #require(running.addresses.first))
        client.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(await eventuallyTrue { !begun.all.isEmpty })
        await running.group.triggerGracefulShutdown()
        #expect(await eventuallyTrue { log.entry("draining") != nil })
        gate.open()
        let responses = try await WireResponse.all(in: client.receiveToEnd())
        #expect(responses.map(\.text) == ["done"])
        #expect(responses.first?["Connection"] == "close")
        client.close()
        try await running.stop()
        #expect(log.entry("drained") != nil)
    }

    @Test func `loops share a port, and all of them answer`() async throws {
        let log = CapturedLog()
        let app = makeListening("", log: log) { $0.loops = .exactly(3) }
        app.get("/thread", on: .loop) { _, _ in .text(threadName()) }
        let running = try await RunningApp(app, log: log)
        #expect(running.addresses.count == 1)
        var clients: [RawClient] = []
        var names: Set<String> = []
        for _ in 0..<60 {
            let client = try RawClient(try #require(running.addresses.first))
            client.send("GET /thread HTTP/1.1\r\nHost: h\r\n\r\n")
            names.insert(try #require(try await WireResponse.all(in: client.receive()).first).text)
            clients.append(client)
        }
        #expect(names == ["weir-loop-0", "weir-loop-1", "weir-loop-2"])
        clients = []
        try await running.stop()
    }

    @Test func `an app listens on several addresses`() async throws {
        let log = CapturedLog()
        let folder = try ScratchFolder()
        let app = makeListening("x", log: log) {
            $0.listen = Self.loopback + Self.loopback + [.unix(path: "\(folder.path)/s", mode: 0o600)]
        }
        let running = try await RunningApp(app, log: log)
        #expect(running.addresses.count == 3)
        for address in running.addresses {
            let client = try RawClient(address)
            client.send(Self.keep)
            #expect(try await WireResponse.all(in: client.receive()).map(\.text) == ["x"], "\(address)")
        }
        try await running.stop()
        #expect(access("\(folder.path)/s", F_OK) != 0)
    }

    @Test func `an address in use stops the start and is named`() async throws {
        let (held, address) = try Listener.bind(
            .ipv4(0x7F00_0001, port: 0),
            options: ListenerOptions(),
            reusesPort: false
        )
        defer { close(held) }
        let port = try #require(address.port)
        let app = makeListening("x", log: CapturedLog()) { $0.listen = [.tcp(host: "127.0.0.1", port: port)] }
        let error = try await #require(throws: AppError.self) { try await app.runAsService() }
        guard case .system(let text) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(text.contains("127.0.0.1:\(port)"))
        #expect(text.contains("Address already in use"))
    }

    @Test func `an app that could not start gives back the addresses that it had`() async throws {
        let (held, admin) = try Listener.bind(
            .ipv4(0x7F00_0001, port: 0),
            options: ListenerOptions(),
            reusesPort: false
        )
        defer { close(held) }
        let (free, address) = try Listener.bind(
            .ipv4(0x7F00_0001, port: 0),
            options: ListenerOptions(),
            reusesPort: false
        )
        close(free)
        let port = try #require(address.port)
        let adminPort = try #require(admin.port)
        do {
            let app = makeListening("x", log: CapturedLog()) {
                $0.listen = [.tcp(host: "127.0.0.1", port: port)]
                $0.adminListen = [.tcp(host: "127.0.0.1", port: adminPort)]
            }
            await #expect(throws: AppError.self) { try await app.runAsService() }
        }
        let again = try Listener.bind(address, options: ListenerOptions(), reusesPort: false).descriptor
        close(again)
    }

    @Test func `a wrong setting stops the start`() async throws {
        let app = makeListening("x", log: CapturedLog()) { $0.loops = .exactly(0) }
        let error = try await #require(throws: AppError.self) { try await app.test { _ in } }
        guard case .settings = error else {
            Issue.record("\(error)")
            return
        }
    }

    @Test func `the engine over a replayed script sends the same bytes each time`() throws {
        let app = makeListening("hello", log: CapturedLog())
        app.get("/async") { _, context in
            // Goes on in the same turn, so that nothing is left open when the replay ends.
            await context.yield()
            return .text("hello")
        }
        for target in ["/", "/async"] {
            let script = Array("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
            let one = try app.replay(script, rounds: 1, connections: 1)
            #expect(one > 100)
            let many = try app.replay(script, rounds: 50, connections: 4)
            #expect(many == 200 * one, "\(target)")
        }
    }

    @Test func `what a task writes in one turn is sent in one call`() throws {
        let app = makeListening("hello", log: CapturedLog())
        app.get("/stream") { _, _ async in
            .stream { writer in
                try await writer.write("one")
                try await writer.write("two")
            }
        }
        // Each call has to begin with a status line, or the replay ends.
        let sent = try app.replay(Array("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n".utf8), rounds: 20, connections: 2)
        #expect(sent > 40 * 80)
    }

    @Test func `the engine over a replayed script passes requests on to an endpoint that answers`() throws {
        let app = makeListening("hello", log: CapturedLog())
        app.proxy("/proxied", to: .endpoints("http://127.0.0.1:1", name: "replayed"))
        let script = Array("GET /proxied HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
        let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".utf8)
        let one = try app.replay(script, rounds: 1, connections: 1, answer: answer)
        #expect(one > 40)
        let many = try app.replay(script, rounds: 50, connections: 4, answer: answer)
        #expect(many == 200 * one)
    }
}
