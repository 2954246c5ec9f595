// SPDX-License-Identifier: Apache-2.0
// A server whose memory for buffers is in use: what comes then and can go on in little is served, what can't is told so.

import Testing
import Weir
import WeirTestSupport

@Suite(.timeLimit(.minutes(2))) struct BufferMemoryTests {
    private static let bytesMax = 256 << 10

    private struct Served {
        let running: RunningApp
        let address: String
        /// Kept as long as the app runs.
        let folder: ScratchFolder

        func ask(_ request: [UInt8]) async throws -> [WireResponse] {
            let client = try RawClient(address)
            client.send(request)
            return try WireResponse.all(in: await client.receiveToEnd())
        }

        func ask(_ head: String, body: [UInt8] = []) async throws -> WireResponse? {
            try await ask(Array("\(head)Host: h\r\nConnection: close\r\n\r\n".utf8) + body).first
        }

        func post(_ target: String, _ count: Int) async throws -> WireResponse? {
            let body = BufferMemoryTests.bytes(count)
            return try await ask("POST \(target) HTTP/1.1\r\nContent-Length: \(count)\r\n", body: body)
        }
    }

    private static func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 / 251) } }

    private static func serve(
        _ bytesMax: Int = bytesMax,
        _ declare: (App) -> Void = { _ in }
    ) async throws -> Served {
        let folder = try ScratchFolder()
        let log = CapturedLog()
        let app = makeApp(log: log) {
            $0.listen = [.unix(path: "\(folder.path)/socket", mode: nil)]
            $0.drainDelay = .zero
            // More connections than it is enough for: a quarter of it is lent.
            $0.bufferBytes = .exactly(bytesMax)
            $0.connectionsMax = .exactly(1000)
            $0.workersMax = .exactly(1)
        }
        app.get("/hello", on: .loop) { _, _ in .text("hello") }
        app.get("/large", on: .loop) { _, _ in .bytes(bytes(100_000)) }
        app.post("/collect", on: .loop) { request, _ in .text("\(try request.body.collect().count)") }
        app.post("/gather") { request, _ async throws in .text("\(try await request.body.collect().count)") }
        app.post("/echo") { request, _ async in
            .stream { writer in for try await piece in request.body { try await writer.write(piece) } }
        }
        declare(app)
        let running = try await RunningApp(app, log: log)
        return Served(running: running, address: try #require(running.addresses.first), folder: folder)
    }

    /// The longest body of unknown length, which counts twice, that the server takes.
    private static let collectedMax = bytesMax / 16 * 7

    /// A client whose body, of which some is missing, is all that the server may keep whole.
    private static func fill(_ served: Served) throws -> RawClient {
        let client = try RawClient(served.address)
        let head = "POST /collect HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.send("\(head)\(String(collectedMax + 1, radix: 16))\r\n")
        client.send(bytes(collectedMax))
        client.waitUntilTaken()
        return client
    }

    private static func hasField(of count: Int) -> String {
        "GET /hello HTTP/1.1\r\nX-Long: \(String(repeating: "x", count: count))\r\n"
    }

    @Test func `what can go on in little memory is served when all of it is in use`() async throws {
        let served = try await Self.serve()
        let holder = try Self.fill(served)
        #expect(try await served.ask("GET /hello HTTP/1.1\r\n")?.text == "hello")
        #expect(try await served.ask(Self.hasField(of: 2000))?.text == "hello")
        for target in ["/collect", "/gather"] { #expect(try await served.post(target, 1000)?.text == "1000") }
        let echo = try #require(try await served.post("/echo", 150_000))
        #expect(echo.isWhole && isEqual(echo.body, Self.bytes(150_000)))
        let large = try #require(try await served.ask("GET /large HTTP/1.1\r\n"))
        #expect(large.isWhole && isEqual(large.body, Self.bytes(100_000)))
        holder.close()
        try await served.running.stop()
    }

    @Test func `what has to be kept whole is 503 until there is memory for it`() async throws {
        let served = try await Self.serve()
        let holder = try Self.fill(served)
        for target in ["/collect", "/gather"] {
            let body = try #require(try await served.post(target, 10_000))
            #expect(body.status == 503 && body["Retry-After"] == "5", "\(target)")
            #expect(body.text.contains("\"reason\":\"memory\""))
        }
        let head = try #require(try await served.ask(Self.hasField(of: 6000)))
        #expect(head.status == 503 && head["Connection"] == "close")
        let trailers = "POST /collect HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Long: "
        let cut = try await served.ask(Array((trailers + String(repeating: "x", count: 6000) + "\r\n\r\n").utf8))
        #expect(cut.map(\.status) == [503])
        holder.close()
        var answers: [Int?] = []
        while answers.count < 1000, answers.last != 200 {
            answers.append(try await served.post("/collect", 10_000)?.status)
        }
        #expect(answers.last == 200)
        #expect(try await served.post("/gather", 10_000)?.text == "10000")
        #expect(try await served.ask(Self.hasField(of: 6000))?.text == "hello")
        try await served.running.stop()
    }

    @Test(arguments: ["/collect", "/gather"])
    func `a body that outgrows the memory is 413, and gives back what it held`(target: String) async throws {
        // So much that what is received at once is little of it.
        let served = try await Self.serve(4 * Self.bytesMax)
        let client = try RawClient(served.address)
        client.send("POST \(target) HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        let chunk = Self.bytes(16 << 10)
        for _ in 0...(4 * Self.collectedMax / chunk.count) {
            client.send("4000\r\n")
            client.send(chunk)
            client.send("\r\n")
        }
        // Its connection is there still, and its body not at its end.
        client.waitUntilTaken()
        var statuses: [Int?] = []
        while statuses.count < 1000, statuses.last != 200 {
            statuses.append(try await served.post(target, 100_000)?.status)
        }
        #expect(statuses.last == 200)
        client.send("0\r\n\r\nGET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        let answers = try WireResponse.all(in: await client.receiveToEnd())
        #expect(answers.map(\.status).first == 413)
        try await served.running.stop()
    }

    @Test(arguments: ["/collect", "/gather"])
    func `a body that the loop can never hold is 413 at once`(target: String) async throws {
        let served = try await Self.serve()
        let head = "POST \(target) HTTP/1.1\r\nContent-Length: \(2 * Self.collectedMax + 1)\r\n"
        #expect(try await served.ask(head)?.status == 413)
        try await served.running.stop()
    }

    @Test(arguments: ["/collect", "/gather"])
    func `a body that fits is collected where windows are small already`(target: String) async throws {
        let served = try await Self.serve()
        let holder = try RawClient(served.address)
        // More than what is lent, a quarter.
        holder.send("POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
        holder.send(Self.bytes(99_999))
        holder.waitUntilTaken()
        #expect(try await served.post(target, 50_000)?.text == "50000")
        #expect(try await served.post(target, 200_000)?.status == 503)
        holder.close()
        try await served.running.stop()
    }

    @Test(arguments: ["/collect", "/gather"])
    func `a body of unknown length counts twice, because its array is copied as it grows`(target: String) async throws {
        let served = try await Self.serve()
        let count = Self.bytesMax * 3 / 5
        #expect(try await served.post(target, count)?.text == "\(count)")
        let head = "POST \(target) HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
        let body = Array("\(String(count, radix: 16))\r\n".utf8) + Self.bytes(count) + Array("\r\n0\r\n\r\n".utf8)
        #expect(try await served.ask(head, body: body)?.status == 413)
        try await served.running.stop()
    }

    @Test func `what is read of a file counts from the choice of its size on`() async throws {
        let gate = Gate()
        let files = try ScratchFolder()
        let file = try files.write("large", Self.bytes(200_000))
        let served = try await Self.serve { app in
            app.get("/block", on: .workers) { _, _ in
                gate.pass()
                return .text("free")
            }
            app.get("/file", on: .loop) { _, _ in .file(file) }
        }
        // The one worker is held up, so the file's first piece is not read yet.
        let ask = "HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        let (blocked, reader) = (try RawClient(served.address), try RawClient(served.address))
        blocked.send("GET /block \(ask)")
        #expect(await eventuallyTrue { gate.waitingCount == 1 })
        reader.send("GET /file \(ask)")
        reader.waitUntilTaken()
        // It would have room beside a request that holds nothing.
        let count = Self.bytesMax - 50_000
        #expect(try await served.post("/collect", count)?.status == 503)
        gate.open()
        let answer = try #require(try WireResponse.all(in: await reader.receiveToEnd()).first)
        #expect(answer.isWhole && isEqual(answer.body, Self.bytes(200_000)))
        #expect(try WireResponse.all(in: await blocked.receiveToEnd()).map(\.text) == ["free"])
        #expect(try await served.post("/collect", count)?.text == "\(count)")
        try await served.running.stop()
    }

    @Test func `what a handler holds counts until its end, whether its client is there or not`() async throws {
        let (gate, left) = (Gate(), Gate())
        let served = try await Self.serve { app in
            app.post("/hold", on: .workers) { request, context in
                context.onCancel { left.open() }
                gate.pass()
                return .text("\(try request.body.collect().count)")
            }
        }
        let client = try RawClient(served.address)
        client.send("POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
        client.send(Self.bytes(100_000))
        #expect(await eventuallyTrue { gate.waitingCount == 1 })
        client.close()
        #expect(await eventuallyTrue { left.hasOpened })
        let count = Self.bytesMax - 100_000
        #expect(try await served.post("/collect", count)?.status == 503)
        gate.open()
        var answers: [Int?] = []
        while answers.count < 1000, answers.last != 200 {
            answers.append(try await served.post("/collect", count)?.status)
        }
        #expect(answers.last == 200)
        try await served.running.stop()
    }

    @Test func `a reader that is always one piece behind is no reason to keep the places of all`() {
        var pieces = PieceQueue()
        let bytes = Self.bytes(5000)
        bytes.withUnsafeBytes { pieces.append($0) }
        for _ in 0..<10_000 {
            bytes.withUnsafeBytes { pieces.append($0) }
            #expect(pieces.popFirst()?.count == bytes.count)
        }
        #expect(pieces.placeCount < 100)
        #expect(pieces.popFirst()?.count == bytes.count && pieces.isEmpty && pieces.byteCount == 0)
    }

    @Test func `chunks of a byte that nobody reads are kept in few pieces`() {
        var pieces = PieceQueue()
        for byte in UInt8.min...UInt8.max {
            for _ in 0..<32 { withUnsafeBytes(of: byte) { pieces.append($0) } }
        }
        #expect(pieces.byteCount == 8192)
        var counts: [Int] = []
        var whole: [UInt8] = []
        while let piece = pieces.popFirst() {
            counts.append(piece.count)
            whole += piece
        }
        #expect(counts == [4096, 4096])
        #expect(isEqual(whole, (0..<8192).map { UInt8($0 / 32) }))
        #expect(pieces.byteCount == 0 && pieces.isEmpty)
    }
}
