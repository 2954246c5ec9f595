// SPDX-License-Identifier: Apache-2.0
// Refusals and errors as problem documents (RFC 9457).

/// Builds `application/problem+json` bodies.
enum Problem {
    /// The document of an error: type, title, status, detail where the client may read one, and the request's id.
    static func response(_ error: HTTPError, exchange: Exchange, reason: String? = nil) -> Response {
        var body = "{\"type\":\"about:blank\",\"title\":\(quoted(error.status.title)),\"status\":\(error.status.code)"
        if let message = error.message { body += ",\"detail\":\(quoted(message))" }
        if let reason { body += ",\"reason\":\(quoted(reason))" }
        body += ",\"request_id\":\"\(RequestContext(exchange: exchange).requestID)\"}\n"
        return Response(status: error.status, headers: error.headers, contentType: .problem, body: .text(body))
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case let scalar where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            case let scalar: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
