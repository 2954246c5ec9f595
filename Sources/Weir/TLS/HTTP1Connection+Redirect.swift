// SPDX-License-Identifier: Apache-2.0
// Requests that came without TLS, where a setting sends them to where it is spoken.

import WeirEventLoop
import WeirHTTP

extension HTTP1Connection {
    /// Answers by 308 that the same is to be had by https; false where it already was asked for so, of a trusted proxy.
    ///
    /// 308, and not 301: the method and the body stay as they are.
    func redirectsToTLS(_ exchange: Exchange, _ head: RequestHead) -> Bool {
        if isPeerTrusted {
            var isSecure = false
            exchange.eachValue(of: .xForwardedProto) { isSecure = $0.elementsEqual("https".utf8) }
            if isSecure { return false }
        }
        let host = Self.host(of: exchange.string(head.authority))
        if host.isEmpty {
            answer(exchange, .badRequest, "ask by https for it")
            return true
        }
        let port = configuration.redirectPort == 443 ? "" : ":\(configuration.redirectPort)"
        let path = head.path.isEmpty ? "/" : exchange.string(head.path)
        let query = head.query.map { "?\(exchange.string($0))" } ?? ""
        respond(exchange, Response(.permanentRedirect, headers: ["Location": "https://\(host)\(port)\(path)\(query)"]))
        return true
    }

    /// The authority without its port.
    private static func host(of authority: String) -> Substring {
        let text = authority[...]
        guard let colon = text.lastIndex(of: ":") else { return text }
        // Those of an IPv6 address stand in brackets.
        if let bracket = text.lastIndex(of: "]"), bracket > colon { return text }
        return text[..<colon]
    }
}
