// SPDX-License-Identifier: Apache-2.0
// Whole responses as they come over the wire, and what is to be made of them.

import Testing
import WeirHTTP

/// A response that is well formed.
struct ResponseCase: CustomTestStringConvertible, Sendable {
    let name: String
    var method = HTTPMethod.get
    let wire: String
    var interim: [Int] = []
    var status = 200
    var body = ""
    var trailers: [String] = []
    /// The endpoint closes behind it.
    var closes = false
    /// Whether the connection serves another request afterwards.
    var keeps = true

    var testDescription: String { name }

    static let all = [
        ResponseCase(
            name: "length",
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
            body: "hello world"
        ),
        ResponseCase(name: "length 0", wire: "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", status: 201),
        ResponseCase(
            name: "chunked",
            wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=\"1\"\r\n world\r\n0\r\n\r\n",
            body: "hello world"
        ),
        ResponseCase(
            name: "chunked, empty",
            wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        ResponseCase(
            name: "chunked with trailers",
            wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Digest\r\n\r\n"
                + "3\r\nabc\r\n0\r\nDigest: d\r\nX-Two: 2\r\n\r\n",
            body: "abc",
            trailers: ["Digest=d", "X-Two=2"]
        ),
        ResponseCase(
            name: "until close",
            wire: "HTTP/1.1 200 OK\r\n\r\nhello",
            body: "hello",
            closes: true,
            keeps: false
        ),
        ResponseCase(name: "until close, empty", wire: "HTTP/1.1 200 OK\r\n\r\n", closes: true, keeps: false),
        ResponseCase(
            name: "HTTP/1.0",
            wire: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            body: "ok",
            keeps: false
        ),
        ResponseCase(
            name: "HEAD with length",
            method: .head,
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
        ),
        ResponseCase(
            name: "HEAD with coding",
            method: .head,
            wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        ),
        ResponseCase(name: "HEAD without either", method: .head, wire: "HTTP/1.1 200 OK\r\n\r\n"),
        ResponseCase(name: "204", wire: "HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n", status: 204),
        ResponseCase(
            name: "304 with the length of what it stands for",
            wire: "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n",
            status: 304
        ),
        ResponseCase(
            name: "interim",
            wire: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            interim: [100, 103],
            body: "ok"
        ),
        ResponseCase(
            name: "close",
            wire: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
            body: "ok",
            keeps: false
        ),
        ResponseCase(
            name: "bytes behind a length",
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200",
            body: "ok",
            keeps: false
        ),
        ResponseCase(
            name: "bytes behind the last chunk",
            wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nx",
            body: "ok",
            keeps: false
        ),
        ResponseCase(
            name: "a body behind a HEAD's response",
            method: .head,
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            keeps: false
        ),
        ResponseCase(
            name: "a body behind 304",
            wire: "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok",
            status: 304,
            keeps: false
        ),
    ]
}
