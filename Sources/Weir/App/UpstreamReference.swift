// SPDX-License-Identifier: Apache-2.0
// How a route names the upstream that answers it.

import WeirUpstream

/// Where a route's requests are passed on to.
public struct UpstreamReference: Sendable, Hashable {
    /// The upstream's name: the label of its metrics.
    public let name: String
    /// Nil for one of the settings.
    let endpoints: [String]?
    /// Whether routes pass requests on to it, so that nothing can be served before one of its endpoints answers.
    var isForwardedTo = true

    /// The upstream of this name in the settings, or that another route lists; `default` is the one of `WEIR_UPSTREAM`.
    /// A name that is not there stops the start.
    public static func upstream(_ name: String) -> UpstreamReference { UpstreamReference(name: name, endpoints: nil) }

    /// Endpoints in the form of `WEIR_UPSTREAM`: `http://10.0.0.1:8080;weight=3`; or one source of them:
    /// `k8s://shop/orders:http`. What is neither stops the start.
    public static func endpoints(_ endpoints: String..., name: String) -> UpstreamReference {
        UpstreamReference(name: name, endpoints: endpoints)
    }
}

extension RouteCollection {
    /// Passes requests with every method but CONNECT on to an upstream, and its responses back, both as they flow.
    ///
    /// The path is passed on as it came, without dot segments. Fields that are meant for one connection stay behind;
    /// X-Forwarded-For, -Proto and -Host, Forwarded, Via, X-Request-Id and traceparent are added. The response's head
    /// must be there within the route's deadline, else the client gets 504; an upstream that cannot be reached, breaks
    /// off or answers nonsense gives 502. Upgrades (WebSocket) become tunnels.
    public func proxy(
        _ pattern: String,
        to upstream: UpstreamReference,
        _ options: RouteOption...,
        file: StaticString = #fileID,
        line: UInt = #line
    ) {
        add(RouteDeclaration(proxying: pattern, to: upstream, options, file: file, line: line))
    }
}

extension RouteDeclaration {
    /// A route that passes requests on.
    init(
        proxying pattern: String,
        to upstream: UpstreamReference,
        _ options: [RouteOption],
        file: StaticString,
        line: UInt
    ) {
        method = nil
        self.pattern = pattern
        self.options = options
        handler = .proxy(upstream)
        location = SourceLocation(file: file, line: line)
    }
}
