// SPDX-License-Identifier: Apache-2.0
// Response status codes.

/// The status code of a response (RFC 9110 section 15).
public struct Status: Sendable, Hashable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    /// 200 to 599 for a response that a handler returns.
    public let code: Int

    /// - Parameter code: 200 to 599. Informational answers are the engine's own; anything else is sent as 500.
    @inlinable
    public init(_ code: Int) {
        self.code = (200...599).contains(code) ? code : 500
    }

    public init(integerLiteral code: Int) {
        self.init(code)
    }

    public var description: String { String(code) }

    // Computed and inlined: a stored one costs each use a check that it has been made.
    @inlinable public static var ok: Status { Status(200) }
    @inlinable public static var created: Status { Status(201) }
    @inlinable public static var accepted: Status { Status(202) }
    @inlinable public static var noContent: Status { Status(204) }
    /// The client shall show its form anew; never has a body.
    @inlinable public static var resetContent: Status { Status(205) }
    @inlinable public static var movedPermanently: Status { Status(301) }
    @inlinable public static var found: Status { Status(302) }
    @inlinable public static var seeOther: Status { Status(303) }
    @inlinable public static var notModified: Status { Status(304) }
    @inlinable public static var temporaryRedirect: Status { Status(307) }
    @inlinable public static var permanentRedirect: Status { Status(308) }
    @inlinable public static var badRequest: Status { Status(400) }
    @inlinable public static var unauthorized: Status { Status(401) }
    @inlinable public static var forbidden: Status { Status(403) }
    @inlinable public static var notFound: Status { Status(404) }
    @inlinable public static var methodNotAllowed: Status { Status(405) }
    @inlinable public static var requestTimeout: Status { Status(408) }
    @inlinable public static var conflict: Status { Status(409) }
    @inlinable public static var gone: Status { Status(410) }
    @inlinable public static var contentTooLarge: Status { Status(413) }
    @inlinable public static var unsupportedMediaType: Status { Status(415) }
    @inlinable public static var unprocessableContent: Status { Status(422) }
    /// The request came before its TLS handshake was done, and is to be sent again (RFC 8470).
    @inlinable public static var tooEarly: Status { Status(425) }
    @inlinable public static var tooManyRequests: Status { Status(429) }
    @inlinable public static var internalServerError: Status { Status(500) }
    @inlinable public static var notImplemented: Status { Status(501) }
    @inlinable public static var badGateway: Status { Status(502) }
    @inlinable public static var serviceUnavailable: Status { Status(503) }
    @inlinable public static var gatewayTimeout: Status { Status(504) }

    /// The phrase of the status line, for problem documents.
    var title: String {
        switch code {
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 422: "Unprocessable Content"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: code < 500 ? "Request Failed" : "Server Error"
        }
    }
}
