// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir
import WeirTestSupport

@Suite struct ResponseStreamTests {
    private struct Failure: Error {
        let text = "s3cr3t"
    }

    private func answers(
        _ kind: HandlerKind,
        _ request: String = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        log: CapturedLog = CapturedLog(),
        method: Weir.Method = .get,
        _ make: @escaping @Sendable () -> Response
    ) async throws -> [WireResponse] {
        let app = makeApp(log: log) { $0.limits.outputWindowBytes = 16384 }
        app.handle(kind, "/") { _, _ in make() }
        return try await app.test { client async throws in try await client.exchange(request, methods: [method]) }
    }

    @Test(arguments: HandlerKind.allCases)
    func `a stream of unknown length is chunked`(kind: HandlerKind) async throws {
        let responses = try await answers(kind) {
            .stream(contentType: "text/event-stream") { writer in
                for number in 0..<100 {
                    try await writer.write("line \(number)\n")
                    if number % 10 == 0 { await Task.yield() }
                }
                try await writer.write("")
                try await writer.write([])
            }
        }
        let response = try #require(responses.first)
        #expect(response["Transfer-Encoding"] == "chunked")
        #expect(response["Content-Length"] == nil)
        #expect(response["Content-Type"] == "text/event-stream")
        #expect(response.isWhole)
        #expect(response.text == (0..<100).map { "line \($0)\n" }.joined())
    }

    @Test(arguments: HandlerKind.allCases)
    func `a stream of known length has it`(kind: HandlerKind) async throws {
        let responses = try await answers(kind) {
            .stream(length: 10) { writer in
                try await writer.write("01234")
                await Task.yield()
                try await writer.write("56789")
            }
        }
        #expect(responses.map(\.text) == ["0123456789"])
        #expect(responses.first?["Content-Length"] == "10")
        #expect(responses.first?["Transfer-Encoding"] == nil)
    }

    @Test(arguments: HandlerKind.allCases)
    func `a large stream comes whole, held back by its reader`(kind: HandlerKind) async throws {
        let piece = [UInt8](repeating: 3, count: 10_000)
        let responses = try await answers(kind) {
            .stream { writer in
                for _ in 0..<300 { try await writer.write(piece) }
            }
        }
        #expect(responses.first?.isWhole == true)
        #expect(responses.first?.body.count == 3_000_000)
    }

    @Test(arguments: HandlerKind.allCases)
    func `trailers follow a chunked body`(kind: HandlerKind) async throws {
        let responses = try await answers(kind) {
            .stream { writer in
                try await writer.write("body")
                await writer.setTrailers(["X-Sum": "4", "Content-Length": "9", "X-Bad": "a\r\nb"])
            }
        }
        let response = try #require(responses.first)
        #expect(response.text == "body")
        #expect(response.trailers.map { "\($0.name)=\($0.value)" } == ["X-Sum=4"])
    }

    @Test(arguments: HandlerKind.allCases)
    func `a body shorter than its length breaks the connection off`(kind: HandlerKind) async throws {
        let log = CapturedLog()
        let responses = try await answers(
            kind,
            "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
            log: log
        ) {
            .stream(length: 10) { writer in try await writer.write("0123") }
        }
        #expect(responses.count == 1)
        #expect(responses.first?.isWhole == false)
        #expect(log.entry("the body of a response is shorter than said") != nil)
    }

    @Test(arguments: HandlerKind.allCases)
    func `a body longer than its length breaks the connection off, and nothing goes beyond it`(
        kind: HandlerKind
    ) async throws {
        let notes = Notes()
        let responses = try await answers(kind, "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n") {
            .stream(length: 4) { writer in
                try await writer.write("012")
                do {
                    try await writer.write("345")
                } catch {
                    notes.add("\(error)")
                    throw error
                }
            }
        }
        #expect(notes.all == ["tooLong"])
        #expect(responses.count <= 1)
        #expect((responses.first?.body.count ?? 0) <= 4)
    }

    @Test(arguments: HandlerKind.allCases)
    func `a producer that throws breaks the connection off, its error goes to the log`(kind: HandlerKind) async throws {
        let log = CapturedLog()
        let responses = try await answers(kind, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", log: log) {
            .stream { writer in
                try await writer.write("begun")
                throw Failure()
            }
        }
        #expect(responses.first?.isWhole == false)
        #expect(responses.first.map { !$0.text.contains("s3cr3t") } == true)
        #expect(log.entry("the body of a response failed")?.metadata["error"]?.contains("s3cr3t") == true)
    }

    @Test(arguments: HandlerKind.allCases, [200, 204, 304])
    func `nothing is produced where there is no body`(kind: HandlerKind, code: Int) async throws {
        let notes = Notes()
        let make: @Sendable () -> Response = {
            .stream(status: Status(code), length: 3) { writer in
                notes.add("produced")
                try await writer.write("abc")
            }
        }
        let isHead = code == 200
        let request = "\(isHead ? "HEAD" : "GET") / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        let responses = try await answers(kind, request, method: isHead ? .head : .get, make)
        #expect(responses.map(\.status) == [code])
        #expect(responses.first?["Content-Length"] == (isHead ? "3" : nil))
        #expect(notes.all.isEmpty)
    }

    @Test(arguments: HandlerKind.allCases)
    func `an HTTP/1.0 client gets a stream that ends with the connection`(kind: HandlerKind) async throws {
        let responses = try await answers(kind, "GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n") {
            .stream { writer in
                try await writer.write("all ")
                try await writer.write("of it")
            }
        }
        #expect(responses.map(\.text) == ["all of it"])
        #expect(responses.first?["Transfer-Encoding"] == nil)
        #expect(responses.first?["Connection"] == "close")
    }

    @Test(arguments: HandlerKind.allCases)
    func `behind a stream the next request is answered`(kind: HandlerKind) async throws {
        let responses = try await answers(
            kind,
            "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        ) {
            .stream { writer in try await writer.write("x") }
        }
        #expect(responses.map(\.text) == ["x", "x"])
    }

    @Test(arguments: HandlerKind.allCases)
    func `a writer that is kept beyond its stream is closed`(kind: HandlerKind) async throws {
        let app = makeApp()
        let kept = KeptWriter()
        app.handle(kind, "/") { _, _ in
            .stream { writer in
                kept.set(writer)
                try await writer.write("x")
            }
        }
        try await app.test { client async throws in
            #expect(try await client.get("/").text == "x")
            let writer = try #require(kept.take())
            await #expect(throws: ResponseWriterError.self) { try await writer.write("late") }
        }
    }

    @Test(arguments: HandlerKind.asynchronous)
    func `two tasks that write one stream both come to their end`(kind: HandlerKind) async throws {
        let responses = try await answers(kind) {
            .stream { writer in
                try await withThrowingTaskGroup { group in
                    for _ in 0..<2 {
                        group.addTask {
                            for _ in 0..<50 { try await writer.write([UInt8](repeating: 65, count: 20_000)) }
                        }
                    }
                    try await group.waitForAll()
                }
            }
        }
        let response = try #require(responses.first)
        #expect(response.isWhole)
        #expect(response.text.utf8.count == 2 * 50 * 20_000)
    }

    @Test func `a stream that a worker's handler returned is produced on the workers`() async throws {
        let names = Notes()
        let responses = try await answers(.workers) {
            .stream { writer in
                names.add(threadName())
                try await writer.write("whole")
            }
        }
        #expect(responses.first?.text == "whole")
        #expect(names.all == ["weir-worker"])
    }
}
