// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing
import Weir
import WeirTestSupport

@Suite struct ResponseFileTests {
    private func answer(
        _ kind: HandlerKind,
        _ path: String,
        method: Weir.Method = .get,
        status: Status = .ok
    ) async throws -> TestResponse {
        let app = makeApp { $0.limits.outputWindowBytes = 16384 }
        app.handle(kind, "/") { _, _ in .file(path, status: status) }
        return try await app.test { client async throws in try await client.send(method, "/") }
    }

    @Test(arguments: HandlerKind.allCases, [0, 1, 65535, 65536, 65537, 1_000_000])
    func `a file is sent whole with its length`(kind: HandlerKind, count: Int) async throws {
        let folder = try ScratchFolder()
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 253) }
        let response = try await answer(kind, try folder.write("a.bin", bytes))
        #expect(response.status == 200)
        #expect(isEqual(response.body, bytes))
        #expect(response.headers["Content-Length"] == "\(count)")
        #expect(response.headers["Content-Type"] == "application/octet-stream")
    }

    @Test(arguments: [
        ("a.txt", "text/plain; charset=utf-8"), ("a.JSON", "application/json"), ("a.html", "text/html; charset=utf-8"),
        ("a.tar.css", "text/css; charset=utf-8"), ("a.png", "image/png"), ("a", "application/octet-stream"),
        ("a.unknown", "application/octet-stream"), ("a.", "application/octet-stream"),
    ])
    func `the type follows the name`(name: String, type: String) async throws {
        let folder = try ScratchFolder()
        #expect(try await answer(.loop, try folder.write(name, [1])).headers["Content-Type"] == type)
    }

    @Test(arguments: HandlerKind.allCases)
    func `HEAD of a file has its length and no body`(kind: HandlerKind) async throws {
        let folder = try ScratchFolder()
        let response = try await answer(kind, try folder.write("a.txt", [1, 2, 3]), method: .head)
        #expect(response.headers["Content-Length"] == "3")
        #expect(response.body.isEmpty)
    }

    @Test(arguments: HandlerKind.allCases)
    func `what is no regular file is 404`(kind: HandlerKind) async throws {
        let folder = try ScratchFolder()
        try #require(mkfifo("\(folder.path)/pipe", 0o600) == 0)
        for path in ["\(folder.path)/none", folder.path, "\(folder.path)/pipe", "/dev/null", ""] {
            let response = try await answer(kind, path)
            #expect(response.status == 404, "\(path)")
            #expect(!response.text.contains(folder.path))
        }
    }

    @Test func `a file can have another status and further fields`() async throws {
        let folder = try ScratchFolder()
        let path = try folder.write("a.html", Array("sorry".utf8))
        let app = makeApp()
        app.get("/", on: .loop) { _, _ in
            var response = Response.file(path, status: .serviceUnavailable)
            response.headers["Retry-After"] = "5"
            return response
        }
        try await app.test { client async throws in
            let response = try await client.get("/")
            #expect(response.status == 503)
            #expect(response.text == "sorry")
            #expect(response.headers["Retry-After"] == "5")
        }
    }

    @Test func `files one behind the other on one connection do not mix`() async throws {
        let folder = try ScratchFolder()
        let large = [UInt8](repeating: 65, count: 200_000)
        let paths = [try folder.write("a", large), try folder.write("b", [66])]
        let app = makeApp { $0.limits.outputWindowBytes = 16384 }
        app.get("/:n", on: .loop) { request, _ in .file(paths[try request.parameter("n", as: Int.self)]) }
        try await app.test { client async throws in
            let responses = try await client.exchange(
                "GET /0 HTTP/1.1\r\nHost: h\r\n\r\nGET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
                    + "GET /0 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
            )
            #expect(responses.map(\.body.count) == [200_000, 1, 200_000])
        }
    }
}
