// SPDX-License-Identifier: Apache-2.0
// A small HTTP/1.1 client for tests: one connection per request, whole bodies.

import CWeirSystem
import Glibc
import WeirEventLoop

/// Sends requests to an app under test; see ``App/test(_:)``.
public struct TestClient: Sendable {
    let server: HTTPServer

    /// Sends GET.
    public func get(_ target: String, headers: Headers = Headers()) async throws -> TestResponse {
        try await send(.get, target, headers: headers)
    }

    /// Sends POST with a body.
    public func post(_ target: String, headers: Headers = Headers(), body: [UInt8]) async throws -> TestResponse {
        try await send(.post, target, headers: headers, body: body)
    }

    /// Sends a request and waits for the whole response.
    ///
    /// - Parameters:
    ///   - method: the request's method.
    ///   - target: the request target as it goes over the wire, such as `/users/7?full=1`.
    ///   - headers: further fields; Content-Length, Connection and, unless given, Host are there already.
    ///   - body: the request's body; nil for none.
    /// - Throws: `TestClientError` when no whole response came.
    public func send(
        _ method: Method,
        _ target: String,
        headers: Headers = Headers(),
        body: [UInt8]? = nil
    ) async throws -> TestResponse {
        var head = "\(method.rawValue) \(target) HTTP/1.1\r\nConnection: close\r\n"
        if headers["Host"] == nil { head += "Host: test\r\n" }
        for (name, value) in headers.fields { head += "\(name): \(value)\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        let bytes = [UInt8]((head + "\r\n").utf8) + (body ?? [])
        let answer = try await exchange(bytes)
        return try TestResponse(answer, isHead: method == .head)
    }

    /// Sends these very bytes and answers everything that came back until the connection ended.
    public func exchange(_ bytes: [UInt8]) async throws -> [UInt8] {
        var pair: [Int32] = [-1, -1]
        guard weir_socketpair(&pair) == 0 else { throw TestClientError.noConnection }
        let client = pair[0]
        // The client's end blocks; it is used by a thread of its own.
        _ = fcntl(client, F_SETFL, fcntl(client, F_GETFL) & ~O_NONBLOCK)
        server.adopt(pair[1])
        return try await withCheckedThrowingContinuation { continuation in
            do throws(SystemCallError) {
                _ = try SystemThread.start { continuation.resume(returning: Self.transfer(client, bytes)) }
            } catch {
                close(client)
                continuation.resume(throwing: TestClientError.noConnection)
            }
        }
    }

    private static func transfer(_ descriptor: Int32, _ bytes: [UInt8]) -> [UInt8] {
        defer { close(descriptor) }
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                weir_send(descriptor, $0.baseAddress.unsafelyUnwrapped + sent, $0.count - sent)
            }
            // The server may answer and end before it has read everything: its answer is still to be read.
            if count <= 0 { break }
            sent += count
        }
        var answer: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &piece, piece.count, 0)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return answer }
            answer.append(contentsOf: piece[..<count])
        }
    }
}

/// Why a test client has no response.
public enum TestClientError: Error, Sendable {
    case noConnection
    /// What came is no whole response; the bytes that came.
    case broken([UInt8])
}
