// SPDX-License-Identifier: Apache-2.0
// What the parser found in a request's head: numbers and offsets only, so it outlives the buffer when that is copied.

/// A request's head without its fields. Every range counts from the first byte given to the parser.
package struct RequestHead: Sendable {
    package internal(set) var method = HTTPMethod.other
    package internal(set) var form = TargetForm.origin
    /// Only for the absolute form.
    package internal(set) var scheme: URIScheme?
    /// 0 for HTTP/1.0; 1 for HTTP/1.1 and any later 1.x, which is answered as 1.1 (RFC 9110 section 2.5).
    package internal(set) var minorVersion: UInt8 = 1
    package internal(set) var methodRange = ByteRange.empty
    /// The whole request target, as sent.
    package internal(set) var target = ByteRange.empty
    /// The path, as sent, still percent-encoded. Begins with `/` or is empty: for the absolute form without a path,
    /// which means `/` (with OPTIONS: `*`, RFC 9112 section 3.2.4), and for the authority and asterisk forms.
    package internal(set) var path = ByteRange.empty
    /// What follows the first `?`, without it; may be empty. Nil without a `?`.
    package internal(set) var query: ByteRange?
    /// The effective host with its port: from the target if that has one, else from Host. Empty if neither has.
    package internal(set) var authority = ByteRange.empty
    package internal(set) var framing = BodyFraming.none
    /// Whether the client wants the connection to stay open (RFC 9112 section 9.3).
    package internal(set) var keepsAlive = false
    /// Whether the client waits for 100 (Continue) before it sends a body that is not empty.
    package internal(set) var expectsContinue = false
    /// Whether there is an Upgrade field that Connection lists; never for HTTP/1.0 (RFC 9110 section 7.8), nor beside a
    /// body.
    package internal(set) var hasUpgrade = false
    /// Length of the head: an ignored CRLF in front, request line, fields, and the final CRLF. The body begins here.
    package internal(set) var byteCount: UInt32 = 0

    init() {}
}
