// SPDX-License-Identifier: Apache-2.0
// The head of a request that a handler makes: checked and written once, completed for each attempt. Pure.

import WeirHTTP

/// The part of the head that no attempt changes.
struct ClientHead: Sendable {
    let method: HTTPMethod
    /// Request line and the handler's fields, each with its CRLF, and the length of the body.
    let bytes: [UInt8]
    /// The handler's own words take the place of the engine's.
    private(set) var hasHost = false
    private(set) var hasRequestID = false
    private(set) var hasTrace = false
    private(set) var hasTag = false

    /// Fields that the engine writes, or nobody.
    private static let own = [
        "connection", "content-length", "expect", "grpc-timeout", "keep-alive", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "x-envoy-expected-rq-timeout-ms",
    ]

    init(_ request: ClientRequest, _ configuration: ServerConfiguration) throws(ClientError) {
        guard let method = HTTPMethod(request.method) else { throw .malformedRequest("\(request.method)") }
        let isTarget =
            request.target.utf8.first == UInt8(ascii: "/")
            && request.target.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") }
        guard isTarget else { throw .malformedRequest(request.target) }
        self.method = method
        var text = "\(request.method.rawValue) \(request.target) HTTP/1.1\r\n"
        for (name, value) in request.headers {
            let lowercased = name.lowercased()
            let nameBytes = Array(name.utf8)
            if Self.own.contains(lowercased) || configuration.deadlineName?.matches(nameBytes.span) == true {
                continue
            }
            let isField = FieldSyntax.isToken(nameBytes.span) && FieldSyntax.isFieldValue(Array(value.utf8).span)
            guard isField else { throw .malformedRequest(name) }
            switch lowercased {
            case "host": hasHost = true
            case "x-request-id": hasRequestID = true
            case "traceparent": hasTrace = true
            default: if lowercased.utf8.elementsEqual(configuration.tagName) { hasTag = true }
            }
            text += "\(name): \(value)\r\n"
        }
        // RFC 9110 section 8.6: a method that has a meaning for a body says that there is none.
        switch request.method {
        case .post, .put, .patch: text += "Content-Length: \(request.body.count)\r\n"
        default: if !request.body.isEmpty { text += "Content-Length: \(request.body.count)\r\n" }
        }
        bytes = Array(text.utf8)
    }
}

extension HTTPMethod {
    /// Nil for CONNECT, which makes a tunnel.
    fileprivate init?(_ method: Method) {
        guard method != .connect, let same = HTTPMethod.allCases.first(where: { Method($0) == method }) else {
            return nil
        }
        self = same
    }
}
