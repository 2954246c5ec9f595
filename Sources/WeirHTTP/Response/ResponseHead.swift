// SPDX-License-Identifier: Apache-2.0
// What the parser found in a response's head: numbers and offsets only, so it outlives the buffer when that is copied.

/// A response's head without its fields. Every range counts from the first byte given to the parser.
package struct ResponseHead: Sendable {
    /// 100 to 599.
    package internal(set) var status = 0
    /// 0 for HTTP/1.0; 1 for HTTP/1.1 and any later 1.x (RFC 9110 section 2.5).
    package internal(set) var minorVersion: UInt8 = 1
    /// The reason phrase, as sent: visible bytes, spaces, tabs, and bytes from 0x80. Empty if there is none.
    package internal(set) var reason = ByteRange.empty
    package internal(set) var framing = ResponseFraming.none
    /// What Content-Length says. In the answer to HEAD and in 304 that is the length of a body that is not sent, and it
    /// goes on to the client; in 1xx, 204 and 2xx to CONNECT it does not (`ForwardedRuns`).
    package internal(set) var contentLength: UInt64?
    /// Whether the connection stays open behind this response's body (RFC 9112 section 9.3). Never for `.untilClose`
    /// and `.tunnel`.
    package internal(set) var keepsAlive = false
    /// Whether there is an Upgrade field that Connection lists; never for HTTP/1.0. Always for 101.
    package internal(set) var hasUpgrade = false
    /// Length of the head: status line, fields, and the final CRLF. The body begins here.
    package internal(set) var byteCount: UInt32 = 0

    /// Whether another response to the same request follows (RFC 9110 section 15.2).
    package var isInterim: Bool { status < 200 && status != 101 }

    init() {}
}
