// SPDX-License-Identifier: Apache-2.0
// What a route of the file changes of the messages that pass it. Compiled once, immutable, part of a snapshot; any loop.

import WeirHTTP

/// Changes to a route's requests and responses, as bytes.
final class RouteRewrites: Sendable {
    /// Of the request's fields, as the endpoint gets them.
    let request: FieldEdits
    /// Of the response's fields, as the client gets them: whoever answers, the endpoint or the gateway.
    let response: FieldEdits
    /// The path, as the endpoint gets it.
    let path: PathTemplate
    /// What the endpoint gets as Host; empty for what the client asked for.
    let host: [UInt8]

    /// Nil where nothing is changed: then nothing is asked of a message.
    ///
    /// - Parameter pattern: the path that the route is for, one of `match.paths`.
    init?(_ route: RouteConfiguration, pattern: String) {
        request = FieldEdits(route.headers.request)
        response = FieldEdits(route.headers.response)
        path =
            if let path = route.rewrite.path {
                PathTemplate(path: path, pattern: pattern)
            } else if let prefix = route.rewrite.prefix {
                PathTemplate(prefix: prefix, pattern: pattern)
            } else {
                PathTemplate()
            }
        host = Array((route.rewrite.host ?? "").utf8)
        if request.isEmpty, response.isEmpty, route.rewrite == Rewrite() { return nil }
    }
}

extension FieldEdits {
    /// What is set stands instead of all fields of its name, so those are taken away too.
    fileprivate init(_ edits: HeaderEdits.Edits) {
        self.init(
            removing: edits.removed + edits.replaced.map(\.name),
            adding: (edits.replaced + edits.added).map { (name: $0.name, value: $0.value) }
        )
    }
}

extension Exchange {
    /// Calls `body` with what the request's route changes of its messages; not at all where that is nothing, or where
    /// no route was found. Counts no reference.
    @inline(__always)
    func withRewrites(_ body: (RouteRewrites) -> Void) {
        routeReference?._withUnsafeGuaranteedRef { $0.rewritesReference?._withUnsafeGuaranteedRef(body) }
    }

    var hasRewrites: Bool {
        routeReference?._withUnsafeGuaranteedRef { $0.rewritesReference != nil } ?? false
    }
}
