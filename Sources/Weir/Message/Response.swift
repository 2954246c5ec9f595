// SPDX-License-Identifier: Apache-2.0
// What a handler returns.

import FoundationEssentials

/// A response: status, fields, and a body that is bytes, text, JSON, a file or a stream.
///
/// A response to 205 has no body (RFC 9110 section 15.3.6): one that is there goes when the status becomes 205.
public struct Response: Sendable {
    public var status: Status {
        didSet { if status.code == 205 { dropBody() } }
    }
    public var headers: Headers
    var contentType: ContentType
    var body: ResponseBody

    init(status: Status, headers: Headers = Headers(), contentType: ContentType = .none, body: ResponseBody) {
        self.status = status
        self.headers = headers
        self.contentType = contentType
        self.body = body
        if status.code == 205 { dropBody() }
    }

    private mutating func dropBody() {
        body = .empty
        contentType = .none
    }

    /// What will be sent as `Content-Type`: the field in ``headers`` if there is one, else what the body was made as;
    /// nil for none. Setting it puts a value in the place of both.
    public var mediaType: String? {
        get { headers["Content-Type"] ?? contentType.text }
        set {
            headers["Content-Type"] = nil
            contentType = newValue.map { .other($0) } ?? .none
        }
    }

    /// The whole body where it is in memory (bytes, text, JSON), empty for none; nil for a file, a stream, or JSON that
    /// could not be encoded.
    ///
    /// To send another body, make a response of it with this one's ``status``, ``mediaType`` and ``headers``.
    /// - Complexity: copies a text; bytes are shared.
    public var bytes: [UInt8]? {
        switch body {
        case .empty: []
        case .text(let text): [UInt8](text.utf8)
        case .bytes(let bytes): bytes
        case .file, .stream, .upstream, .failure: nil
        }
    }

    /// How many bytes the body has, as far as that is known before it is sent: nil for a file, a stream without a
    /// length, or JSON that could not be encoded.
    public var byteCount: Int? {
        switch body {
        case .empty: 0
        case .text(let text): text.utf8.count
        case .bytes(let bytes): bytes.count
        case .stream(let length, _): length
        case .file, .upstream, .failure: nil
        }
    }

    /// A response without a body.
    public init(_ status: Status = .ok, headers: Headers = Headers()) {
        self.init(status: status, headers: headers, body: .empty)
    }

    /// UTF-8 text, `text/plain; charset=utf-8`. A literal costs no allocation.
    public static func text(_ text: String, status: Status = .ok) -> Response {
        Response(status: status, contentType: .text, body: .text(text))
    }

    /// A page, `text/html; charset=utf-8`.
    public static func html(_ text: String, status: Status = .ok) -> Response {
        Response(status: status, contentType: .html, body: .text(text))
    }

    /// Bytes, `application/octet-stream` unless `contentType` says otherwise.
    public static func bytes(_ bytes: [UInt8], contentType: String? = nil, status: Status = .ok) -> Response {
        Response(
            status: status,
            contentType: contentType.map { .other($0) } ?? .octets,
            body: .bytes(bytes)
        )
    }

    /// `value` encoded as JSON, `application/json`. If it cannot be encoded, the answer is 500 and the error is logged.
    public static func json(_ value: some Encodable, status: Status = .ok) -> Response {
        do {
            // Of its own: one for all would be written to by all, for its lock.
            let encoder = JSONEncoder()
            // The same value gives the same bytes, so that caches and tests can compare them.
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return Response(status: status, contentType: .json, body: .bytes([UInt8](try encoder.encode(value))))
        } catch {
            return Response(status: .internalServerError, body: .failure(error))
        }
    }

    /// The file at `path`, read on the worker pool in pieces of 64 KiB while it is sent.
    ///
    /// 404 if there is no such regular file. The content type follows the name's extension.
    public static func file(_ path: String, status: Status = .ok) -> Response {
        Response(status: status, contentType: .forFile(path), body: .file(path))
    }

    /// A body that `produce` writes piece by piece while it is sent; `write` waits while the client is slow.
    ///
    /// - Parameters:
    ///   - status: the response's status.
    ///   - contentType: the media type of the body.
    ///   - length: the number of bytes that will be written, for a `Content-Length`; nil sends chunks (to an HTTP/1.0
    ///     client: until the connection ends). Writing another number breaks the connection off.
    ///   - produce: runs after the handler returned, in its task and on its executor, and is cancelled with it. If it
    ///     throws, the connection is broken off, so that the client does not take the part for the whole.
    public static func stream(
        status: Status = .ok,
        contentType: String = "application/octet-stream",
        length: Int? = nil,
        _ produce: @escaping @Sendable (ResponseWriter) async throws -> Void
    ) -> Response {
        Response(status: status, contentType: .other(contentType), body: .stream(length: length, produce))
    }

    /// Sends the client elsewhere.
    public static func redirect(to location: String, status: Status = .temporaryRedirect) -> Response {
        Response(status, headers: ["Location": location])
    }
}

/// The body of a response, in the form in which it is sent.
enum ResponseBody: Sendable {
    case empty
    case text(String)
    case bytes([UInt8])
    case file(String)
    case stream(length: Int?, @Sendable (ResponseWriter) async throws -> Void)
    /// Both head and body are the upstream's; the fields of the response are added to its head.
    case upstream(UpstreamReference)
    /// There is no response: what went wrong is logged, the client gets 500.
    case failure(any Error)
}

/// The media type of a response; the common ones are written without a `String`.
enum ContentType: Sendable {
    case none
    case text
    case json
    case problem
    case octets
    case html
    case other(String)

    /// What the field says; see `HeadWriter.contentType`.
    var text: String? {
        switch self {
        case .none: nil
        case .text: "text/plain; charset=utf-8"
        case .json: "application/json"
        case .problem: "application/problem+json"
        case .octets: "application/octet-stream"
        case .html: "text/html; charset=utf-8"
        case .other(let text): text
        }
    }

    static func forFile(_ path: String) -> ContentType {
        guard let dot = path.utf8.lastIndex(of: UInt8(ascii: ".")) else { return .octets }
        return switch String(path[path.index(after: dot)...]).lowercased() {
        case "txt", "md": .text
        case "json": .json
        case "html", "htm": .html
        case "css": .other("text/css; charset=utf-8")
        case "js", "mjs": .other("text/javascript; charset=utf-8")
        case "svg": .other("image/svg+xml")
        case "png": .other("image/png")
        case "jpg", "jpeg": .other("image/jpeg")
        case "gif": .other("image/gif")
        case "webp": .other("image/webp")
        case "ico": .other("image/x-icon")
        case "pdf": .other("application/pdf")
        case "xml": .other("application/xml")
        case "wasm": .other("application/wasm")
        default: .octets
        }
    }
}
