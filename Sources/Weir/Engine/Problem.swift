// SPDX-License-Identifier: Apache-2.0
// Refusals and errors as problem documents (RFC 9457).

/// Builds `application/problem+json` bodies.
enum Problem {
    /// The document of an error: type, title, status, detail where the client may read one, and the request's id.
    /// The reason is the exchange's where none is given.
    static func response(_ error: HTTPError, exchange: Exchange, reason given: String? = nil) -> Response {
        let reason = given ?? (exchange.reason == .none ? nil : "\(exchange.reason.name)")
        var json = JSONWriter()
        json.append("{\"type\":\"about:blank\",\"title\":")
        json.append(string: error.status.title)
        json.append(",\"status\":\(error.status.code)")
        if let message = error.message {
            json.append(",\"detail\":")
            json.append(string: message)
        }
        if let reason {
            json.append(",\"reason\":")
            json.append(string: reason)
        }
        json.append(",\"request_id\":")
        json.append(string: RequestContext(exchange: exchange).requestID)
        json.append("}\n")
        return Response(status: error.status, headers: error.headers, contentType: .problem, body: .bytes(json.bytes))
    }
}
