// SPDX-License-Identifier: Apache-2.0
// The heads and bodies of responses, as they go over the wire.

import Testing
import Weir
import WeirTestSupport

@Suite struct ResponseTests {
    private static let closing = "HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

    /// What a route answers to this method, as it came.
    private func answer(
        _ kind: HandlerKind = .loop,
        _ method: Weir.Method = .get,
        log: CapturedLog = CapturedLog(),
        _ make: @escaping @Sendable () -> Response
    ) async throws -> WireResponse {
        let app = makeApp(log: log)
        app.handle(kind, "/") { _, _ in make() }
        return try await app.test { client async throws in
            let responses = try await client.exchange("\(method.rawValue) / \(Self.closing)", methods: [method])
            #expect(responses.count == 1)
            return try #require(responses.first)
        }
    }

    struct Body: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let contentType: String?
        let bytes: [UInt8]
        let make: @Sendable () -> Response
    }

    static let bodies: [Body] = [
        Body(testDescription: "empty", contentType: nil, bytes: []) { Response() },
        Body(testDescription: "text", contentType: "text/plain; charset=utf-8", bytes: Array("häl\n".utf8)) {
            .text("häl\n")
        },
        Body(testDescription: "empty text", contentType: "text/plain; charset=utf-8", bytes: []) { .text("") },
        Body(testDescription: "bytes", contentType: "application/octet-stream", bytes: [0, 1, 255]) {
            .bytes([0, 1, 255])
        },
        Body(testDescription: "bytes of a type", contentType: "image/x", bytes: [1]) {
            .bytes([1], contentType: "image/x")
        },
        Body(testDescription: "JSON", contentType: "application/json", bytes: Array("[1,2]".utf8)) { .json([1, 2]) },
        Body(
            testDescription: "14 KiB",
            contentType: "application/octet-stream",
            bytes: .init(repeating: 7, count: 14336)
        ) {
            .bytes(.init(repeating: 7, count: 14336))
        },
        Body(testDescription: "more", contentType: "application/octet-stream", bytes: .init(repeating: 7, count: 14337))
        {
            .bytes(.init(repeating: 7, count: 14337))
        },
        Body(
            testDescription: "large",
            contentType: "application/octet-stream",
            bytes: .init(repeating: 8, count: 5_000_000)
        ) {
            .bytes(.init(repeating: 8, count: 5_000_000))
        },
        Body(
            testDescription: "large text",
            contentType: "text/plain; charset=utf-8",
            bytes: .init(repeating: 65, count: 300_000)
        ) {
            .text(String(repeating: "A", count: 300_000))
        },
    ]

    @Test(arguments: bodies, HandlerKind.allCases)
    func `a body in memory is sent with its length and type`(body: Body, kind: HandlerKind) async throws {
        let response = try await answer(kind, .get, body.make)
        #expect(response.status == 200)
        #expect(isEqual(response.body, body.bytes))
        #expect(response["Content-Length"] == "\(body.bytes.count)")
        #expect(response["Content-Type"] == body.contentType)
        #expect(response["Transfer-Encoding"] == nil)
        #expect(response.count("Date") == 1)
    }

    @Test(arguments: bodies)
    func `HEAD has the fields of GET and no body`(body: Body) async throws {
        let get = try await answer(.loop, .get, body.make)
        let head = try await answer(.loop, .head, body.make)
        let names = Set(get.fields.map(\.name)).subtracting(["Date"])
        #expect(Set(head.fields.map(\.name)).subtracting(["Date"]) == names)
        for name in names { #expect(head[name] == get[name], "\(name)") }
        #expect(head.body.isEmpty)
    }

    @Test(arguments: bodies, HandlerKind.allCases)
    func `205 has a length and no body`(body: Body, kind: HandlerKind) async throws {
        let make: @Sendable () -> Response = {
            var response = body.make()
            response.headers["X-Kept"] = "1"
            response.status = .resetContent
            return response
        }
        let response = try await answer(kind, .get, make)
        #expect(response.status == 205)
        #expect(response.body.isEmpty && response.isWhole)
        #expect(response["Content-Length"] == "0")
        #expect(response["Content-Type"] == nil)
        #expect(response["X-Kept"] == "1")
    }

    @Test func `205 has no file and no stream either, however it is made`() async throws {
        let responses: [@Sendable () -> Response] = [
            { .file("/etc/passwd", status: .resetContent) },
            { .stream(status: .resetContent) { try await $0.write("x") } },
            { .stream(status: .resetContent, length: 1) { try await $0.write("x") } },
            { .text("x", status: 205) },
        ]
        for make in responses {
            let response = try await answer(.loop, .get, make)
            #expect(response.status == 205 && response.body.isEmpty && response.isWhole)
            #expect(response["Content-Length"] == "0" && response["Transfer-Encoding"] == nil)
        }
    }

    @Test(arguments: bodies)
    func `what a body in memory will be sent as can be read`(body: Body) {
        let response = body.make()
        #expect(response.bytes.map { isEqual($0, body.bytes) } == true)
        #expect(response.byteCount == body.bytes.count)
        #expect(response.mediaType == body.contentType)
    }

    @Test func `of a body that is not in memory only what is known can be read`() {
        struct Unencodable: Encodable {
            func encode(to encoder: any Encoder) throws { throw HTTPError(.gone) }
        }
        let stream = Response.stream(contentType: "text/x") { _ in }
        #expect(stream.bytes == nil && stream.byteCount == nil && stream.mediaType == "text/x")
        let sized = Response.stream(length: 7) { _ in }
        #expect(sized.bytes == nil && sized.byteCount == 7 && sized.mediaType == "application/octet-stream")
        let file = Response.file("/srv/logo.png")
        #expect(file.bytes == nil && file.byteCount == nil && file.mediaType == "image/png")
        let failure = Response.json(Unencodable())
        #expect(failure.bytes == nil && failure.byteCount == nil && failure.status == 500)
    }

    @Test func `the media type that can be read and set is the one that is sent`() async throws {
        for (field, type) in [(nil, "text/plain; charset=utf-8"), ("text/x", "text/x")] as [(String?, String)] {
            let make: @Sendable () -> Response = {
                var response = Response.text("x")
                response.headers["Content-Type"] = field
                return response
            }
            #expect(make().mediaType == type)
            #expect(try await answer(.loop, .get, make)["Content-Type"] == type)
            for set in ["text/y", nil] {
                let change: @Sendable () -> Response = {
                    var response = make()
                    response.mediaType = set
                    return response
                }
                #expect(change().mediaType == set)
                #expect(try await answer(.loop, .get, change)["Content-Type"] == set)
            }
        }
    }

    @Test(arguments: [204, 304], bodies)
    func `204 and 304 have neither body nor length`(code: Int, body: Body) async throws {
        let response = try await answer {
            var response = body.make()
            response.status = Status(code)
            return response
        }
        #expect(response.status == code)
        #expect(response.body.isEmpty)
        #expect(response["Content-Length"] == nil)
        #expect(response["Transfer-Encoding"] == nil)
    }

    @Test func `behind a response without a body the next one follows at once`() async throws {
        let app = makeApp()
        app.get("/204", on: .loop) { _, _ in .text("none", status: .noContent) }
        app.get("/304", on: .loop) { _, _ in .text("none", status: .notModified) }
        app.get("/x", on: .loop) { _, _ in .text("x") }
        try await app.test { client async throws in
            let keep = "HTTP/1.1\r\nHost: h\r\n\r\n"
            let responses = try await client.exchange(
                "GET /204 \(keep)GET /304 \(keep)HEAD /x \(keep)GET /x \(Self.closing)",
                methods: [.get, .get, .head, .get]
            )
            #expect(responses.map(\.status) == [204, 304, 200, 200])
            #expect(responses.last?.text == "x")
        }
    }

    @Test func `fields are sent in their order, the same name more than once`() async throws {
        let response = try await answer {
            var response = Response.text("x")
            response.headers.add("Set-Cookie", "a=1")
            response.headers.add("X-Y", "")
            response.headers.add("set-cookie", "b=2")
            return response
        }
        let own = response.fields.filter { $0.name.lowercased() == "set-cookie" || $0.name == "X-Y" }
        #expect(own.map { "\($0.name)=\($0.value)" } == ["Set-Cookie=a=1", "X-Y=", "set-cookie=b=2"])
    }

    @Test func `the engine's own fields are left out where a handler sets them`() async throws {
        let response = try await answer {
            var response = Response.text("four")
            for name in ["content-length", "Transfer-Encoding", "CONNECTION", "Date", "Keep-Alive", "Trailer"] {
                response.headers.add(name, "17")
            }
            return response
        }
        #expect(response.text == "four")
        #expect(response["Content-Length"] == "4")
        #expect(response.count("Content-Length") == 1)
        #expect(response.count("Connection") == 1)
        #expect(response.count("Date") == 1)
        #expect(response.fields.allSatisfy { $0.value != "17" })
    }

    @Test func `a content type that a handler sets replaces that of the body`() async throws {
        let response = try await answer {
            var response = Response.text("<p>")
            response.headers["Content-Type"] = "text/html"
            return response
        }
        #expect(response.count("Content-Type") == 1)
        #expect(response["Content-Type"] == "text/html")
    }

    @Test(arguments: [
        ("X-A", "b\r\nSet-Cookie: evil=1"), ("X-A", "b\nc"), ("X-A", "b\rc"), ("X-A", "b\0c"), ("X A", "b"), ("", "b"),
        ("X-A:", "b"), ("X-A\r\nSet-Cookie", "evil=1"), ("X-Ä", "b"),
    ])
    func `a field that is none makes the response 500, and no field of it is sent`(
        name: String,
        value: String
    ) async throws {
        for kind in HandlerKind.allCases {
            let log = CapturedLog()
            let response = try await answer(kind, .get, log: log) {
                Response(headers: [name: value, "X-Other": "o"])
            }
            #expect(response.status == 500)
            #expect(response["Set-Cookie"] == nil)
            #expect(response["X-Other"] == nil)
            #expect(!response.text.contains("evil"))
            #expect(log.entry("a response field is malformed") != nil)
        }
    }

    @Test func `neither a redirect nor a content type can split a response`() async throws {
        let redirect = try await answer { .redirect(to: "/a\r\nSet-Cookie: evil=1") }
        #expect(redirect.status == 500)
        #expect(redirect["Set-Cookie"] == nil)
        let typed = try await answer { .bytes([], contentType: "a/b\r\nSet-Cookie: evil=1") }
        #expect(typed["Set-Cookie"] == nil)
    }

    @Test func `a redirect says where to`() async throws {
        let response = try await answer { .redirect(to: "/there?x=1") }
        #expect(response.status == 307)
        #expect(response["Location"] == "/there?x=1")
        #expect(response["Content-Length"] == "0")
        #expect(try await answer { .redirect(to: "/", status: .seeOther) }.status == 303)
    }

    private struct NoJSON: Encodable {
        func encode(to encoder: any Encoder) throws {
            throw EncodingError.invalidValue(0, .init(codingPath: [], debugDescription: "s3cr3t"))
        }
    }

    @Test(arguments: HandlerKind.allCases)
    func `a value that cannot be encoded is 500, and its error is in the log alone`(kind: HandlerKind) async throws {
        let log = CapturedLog()
        let response = try await answer(kind, .get, log: log) { .json(NoJSON()) }
        #expect(response.status == 500)
        #expect(!response.text.contains("s3cr3t"))
        #expect(log.entry("a response could not be encoded")?.metadata["error"]?.contains("s3cr3t") == true)
    }

    @Test func `a status without a phrase of its own is sent`() async throws {
        let response = try await answer { Response(Status(299)) }
        #expect(response.status == 299)
    }
}
