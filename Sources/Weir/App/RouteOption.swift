// SPDX-License-Identifier: Apache-2.0
// What can be said about a route or a group of routes besides its pattern and its handler.

/// Where a handler runs.
public enum Placement: Sendable {
    /// On the event loop: the handler promises not to block. One that holds the loop for longer than `WEIR_LOOP_STALL`
    /// is logged and counted.
    case loop
    /// On the worker pool, whose threads may block.
    case workers
}

/// A property of a route, or of all routes of a group.
public struct RouteOption: Sendable {
    enum Kind {
        case deadline(Duration)
        case bodyLimit(ByteCount)
        case host(String)
    }

    let kind: Kind

    /// Within what time the response's head must be there; else 504. The smaller of this and `WEIR_DEADLINE` holds.
    public static func deadline(_ duration: Duration) -> RouteOption { RouteOption(kind: .deadline(duration)) }

    /// The largest body that is collected; larger is answered 413. Instead of `WEIR_BODY_BYTES`.
    public static func bodyLimit(_ limit: ByteCount) -> RouteOption { RouteOption(kind: .bodyLimit(limit)) }

    /// The host that the routes are for: `shop.example.com`, or `*.example.com` for one label or more in front.
    public static func host(_ name: String) -> RouteOption { RouteOption(kind: .host(name)) }
}

/// The options of a route after all groups around it were heard.
struct RouteProperties: Sendable {
    var deadline: Duration?
    var bodyLimit: ByteCount?
    var host: String?
    var middleware: [any Middleware] = []

    func adding(_ options: [RouteOption]) -> RouteProperties {
        var properties = self
        for option in options {
            switch option.kind {
            case .deadline(let duration): properties.deadline = min(properties.deadline ?? duration, duration)
            case .bodyLimit(let limit): properties.bodyLimit = limit
            case .host(let name): properties.host = name
            }
        }
        return properties
    }
}
