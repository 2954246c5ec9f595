// SPDX-License-Identifier: Apache-2.0
// The answers of a route that redirects.

import WeirHTTP

extension Redirect {
    /// Answers its requests.
    var handler: Handler {
        let status = Status(status)
        let target = target
        guard keepsPath else {
            let response = Response(status, headers: ["Location": target])
            return .loop { _, _ in response }
        }
        return .loop { request, _ in
            Response(status, headers: ["Location": target + request.exchange.forwardedTarget])
        }
    }
}

extension Exchange {
    /// Path and query as they go on. It begins with a slash, so what stands in front of it stays the authority, and is
    /// visible ASCII, as the parser takes nothing else in a target: no line can end within it.
    fileprivate var forwardedTarget: String {
        let path = String(decoding: forwardedPath, as: UTF8.self)
        return parser.pointee.head.query.map { "\(path)?\(string($0))" } ?? path
    }
}
