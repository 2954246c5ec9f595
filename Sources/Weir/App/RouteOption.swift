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
        case limit(DeclaredLimit)
        case concurrency(DeclaredPool)
        case priority(Priority)
        case unqueued
    }

    let kind: Kind

    /// Within what time the response's head must be there; else 504. The smaller of this and `WEIR_DEADLINE` holds.
    public static func deadline(_ duration: Duration) -> RouteOption { RouteOption(kind: .deadline(duration)) }

    /// The largest body that is collected; larger is answered 413. Instead of `WEIR_BODY_BYTES`.
    public static func bodyLimit(_ limit: ByteCount) -> RouteOption { RouteOption(kind: .bodyLimit(limit)) }

    /// The host that the routes are for: `shop.example.com`, or `*.example.com` for one label or more in front.
    public static func host(_ name: String) -> RouteOption { RouteOption(kind: .host(name)) }
}

extension RouteOption {
    /// How many requests are let through in a time; more are answered 429. Several limits hold together: a request that
    /// one of them refuses counts for none.
    ///
    /// All routes of a group share its limit.
    /// - Parameters:
    ///   - limit: how many, and how they are counted.
    ///   - key: what tells one client from another; `.none` counts all requests together.
    ///   - name: what the `RateLimit` fields call it; the key's kind where it is not given.
    public static func limit(_ limit: RateLimit, by key: RateLimitKey = .none, named name: String? = nil) -> RouteOption
    {
        RouteOption(kind: .limit(DeclaredLimit(limit.keyed(by: key, name: name))))
    }

    /// A pool of the routes' own instead of the pod's: so many run at once, and so many wait for that.
    ///
    /// - Parameters:
    ///   - limit: 1 to 1000000.
    ///   - queue: 0 to 1000000; four times `limit`, at most 1000000, where it is not given.
    public static func concurrency(_ limit: Int, queue: Int? = nil) -> RouteOption {
        let countMax = Settings.Admission.countMax
        precondition((1...countMax).contains(limit), "a concurrency is 1 to \(countMax)")
        let queue = queue ?? min(limit * 4, countMax)
        precondition((0...countMax).contains(queue), "a queue's length is 0 to \(countMax)")
        return RouteOption(kind: .concurrency(DeclaredPool(.exactly(limit), queue: .exactly(queue))))
    }

    /// How much the requests matter: where the queue is full the lowest class is shed first. Without it, `.default`.
    public static func priority(_ priority: Priority) -> RouteOption { RouteOption(kind: .priority(priority)) }

    /// The requests run at once whatever else runs, and are never turned away for load or memory: for health checks.
    public static var unqueued: RouteOption { RouteOption(kind: .unqueued) }
}

/// How much a request matters.
public enum Priority: Sendable, CaseIterable {
    /// Served before the others.
    case critical
    case `default`
    /// Turned away first.
    case sheddable
}

/// The options of a route after all groups around it were heard.
struct RouteProperties: Sendable {
    var deadline: Duration?
    var bodyLimit: ByteCount?
    var host: String?
    var limits: [DeclaredLimit] = []
    var pool: DeclaredPool?
    var priority = Priority.default
    var isUnqueued = false
    var middleware: [any Middleware] = []

    func adding(_ options: [RouteOption]) -> RouteProperties {
        var properties = self
        for option in options {
            switch option.kind {
            case .deadline(let duration): properties.deadline = min(properties.deadline ?? duration, duration)
            case .bodyLimit(let limit): properties.bodyLimit = limit
            case .host(let name): properties.host = name
            case .limit(let limit): properties.limits.append(limit)
            case .concurrency(let pool): properties.pool = pool
            case .priority(let priority): properties.priority = priority
            case .unqueued: properties.isUnqueued = true
            }
        }
        return properties
    }
}
