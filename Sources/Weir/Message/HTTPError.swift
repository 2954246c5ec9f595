// SPDX-License-Identifier: Apache-2.0
// The error whose text the client may read.

/// An error that a handler throws to answer with a status and a message of its choice.
///
/// The client gets a problem document (RFC 9457) with the status and the message. Every other error that a handler
/// throws is answered 500 without its text, and logged with the request's id.
public struct HTTPError: Error, Sendable {
    public var status: Status
    /// What the client may read; nil for the status alone.
    public var message: String?
    /// Fields to send along, such as `WWW-Authenticate`.
    public var headers: Headers

    public init(_ status: Status, _ message: String? = nil, headers: Headers = [:]) {
        self.status = status
        self.message = message
        self.headers = headers
    }
}
