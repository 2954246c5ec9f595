// SPDX-License-Identifier: Apache-2.0
// A small HTTP/1.1 client for tests: one connection per request, whole bodies.

import CWeirSystem
import Glibc
import WeirEventLoop

/// Sends requests to an app under test; see ``App/test(_:)``.
public struct TestClient: Sendable {
    let server: HTTPServer
    let reload: ConfigurationReload

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
        try await exchange(bytes, on: 0)
    }

    /// As above, over a connection of this event loop.
    package func exchange(_ bytes: [UInt8], on loop: Int) async throws -> [UInt8] {
        var pair: [Int32] = [-1, -1]
        guard weir_socketpair(&pair) == 0 else { throw TestClientError.noConnection }
        let client = pair[0]
        server.adopt(pair[1], on: loop)
        return try await withCheckedThrowingContinuation { continuation in
            do throws(SystemCallError) {
                _ = try SystemThread.start { continuation.resume(returning: Self.transfer(client, bytes)) }
            } catch {
                close(client)
                continuation.resume(throwing: TestClientError.noConnection)
            }
        }
    }

    /// Sends and receives at the same time, on a thread of its own: a service may answer while it still reads.
    private static func transfer(_ descriptor: Int32, _ bytes: [UInt8]) -> [UInt8] {
        defer { close(descriptor) }
        var sent = 0
        var answer: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65536)
        while true {
            var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if sent < bytes.count { wanted.events |= Int16(POLLOUT) }
            _ = poll(&wanted, 1, -1)
            if sent < bytes.count, wanted.revents & Int16(POLLOUT) != 0 {
                let count = bytes.withUnsafeBytes {
                    Glibc.send(
                        descriptor,
                        $0.baseAddress.unsafelyUnwrapped + sent,
                        $0.count - sent,
                        Int32(MSG_NOSIGNAL)
                    )
                }
                // The service may end before it has read everything: its answer is still to be read.
                sent = count < 0 && errno != EAGAIN && errno != EINTR ? bytes.count : sent + max(0, count)
            }
            if wanted.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
                let count = recv(descriptor, &piece, piece.count, 0)
                if count < 0, errno == EINTR || errno == EAGAIN { continue }
                if count <= 0 { return answer }
                answer.append(contentsOf: piece[..<count])
            }
        }
    }
}

/// Why a test client has no response.
public enum TestClientError: Error, Sendable {
    case noConnection
    /// What came is no whole response; the bytes that came.
    case broken([UInt8])
}
