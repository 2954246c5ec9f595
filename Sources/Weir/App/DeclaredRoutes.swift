// SPDX-License-Identifier: Apache-2.0
// The routes of an app as they are declared: each is checked against those before it, and all become a snapshot.

import WeirEventLoop
import WeirFlow
import WeirRouting
import WeirUpstream

/// Where something was declared.
struct SourceLocation: Sendable, CustomStringConvertible {
    /// `Orders/Orders.swift`: module and file.
    let file: StaticString
    let line: UInt

    var description: String { "\(file):\(line)" }
}

/// A route with its full pattern and what its groups said.
struct DeclaredRoute: Sendable {
    let methods: MethodSet
    let pattern: String
    let handler: Handler
    let properties: RouteProperties
    /// Nil for the engine's own.
    var location: SourceLocation?
    /// What a file says of it; nil for a route of the code.
    var configuration: RouteConfiguration?
    /// That of `configuration`, which its paths and hosts share.
    var mirror: DeclaredMirror?

    /// Every method but CONNECT.
    static let anyMethod = MethodSet.all.subtracting(.connect)

    /// The methods of a route of the file: HEAD stands where GET does, so that the file's order holds for it too.
    fileprivate var methodsInFile: MethodSet { methods.contains(.get) ? methods.union(.head) : methods }

    /// How its requests are divided; nil for one upstream.
    fileprivate func split(_ upstreams: [RouteUpstream]) -> RouteSplit? {
        guard case .forward(let shares)? = configuration?.action else { return nil }
        return RouteSplit(
            shares.filter { $0.weight > 0 }.compactMap { share in
                upstreams.first { $0.upstream.name == share.upstream }.map { ($0, share.weight) }
            }
        )
    }

    /// `GET /orders/:id (Orders/Orders.swift:12)`
    var name: String { "\(methodNames) \(pattern)" + (location.map { " (\($0))" } ?? "") }

    fileprivate var methodNames: String { methods == Self.anyMethod ? "*" : methods.allowHeader }
}

extension DeclaredRoute {
    /// A request is checked against a bounded number of limits, each of which can hold for whom the settings say.
    fileprivate func checkLimits(_ settings: Settings.RateLimiting) throws(AppError) {
        let count = settings.limits.count + properties.limits.count
        guard count <= RouteLimits.limitsMax else {
            throw .routes(
                "route \(name) has \(count) limits with those of all routes; expected at most \(RouteLimits.limitsMax)"
            )
        }
        for limit in properties.limits {
            guard let reason = settings.clusterFault(of: limit.limit) else { continue }
            throw .routes("route \(name), limit \(limit.limit.shown): \(reason)")
        }
    }

    /// The same on every replica: what its limits are called in a store.
    fileprivate var storeName: String { "\(methodNames) \(properties.host ?? "")\(pattern)" }
}

extension Priority {
    var priority: WeirFlow.Priority {
        switch self {
        case .critical: .critical
        case .default: .default
        case .sheddable: .sheddable
        }
    }
}

/// Routes in the order of their declaration. A value; the first mistake among them is kept.
struct DeclaredRoutes {
    private var all: [DeclaredRoute] = []
    /// Upstreams that are declared for handlers.
    private var declaredUpstreams: [UpstreamReference] = []
    /// Upstreams that a configuration declares; each stands for one of the code by its name.
    private var configuredUpstreams: [UpstreamPlan] = []
    private var builder = RouteTableBuilder()
    /// For a route that the table has, those of the file behind it that are for the same requests but for their headers.
    private var followers: [Int: [Int]] = [:]
    /// What is wrong with the first route that cannot be served beside those before it.
    private(set) var fault: AppError?

    init(_ routes: [DeclaredRoute] = []) {
        for route in routes { add(route) }
    }

    mutating func add(_ route: DeclaredRoute) {
        do throws(RoutingError) {
            try addToTable(route)
        } catch {
            if fault == nil { fault = .routes(describe(error, of: route)) }
        }
        all.append(route)
    }

    private mutating func addToTable(_ route: DeclaredRoute) throws(RoutingError) {
        let host = route.properties.host
        guard route.configuration != nil else {
            return try builder.add(route.methods, host: host, pattern: route.pattern, route: all.count)
        }
        for method in route.methodsInFile.each {
            do throws(RoutingError) {
                try builder.add(method, host: host, pattern: route.pattern, route: all.count)
            } catch {
                guard case .duplicate(_, _, let first, _, _) = error, all[first].configuration != nil else {
                    throw error
                }
                if followers[first]?.last != all.count { followers[first, default: []].append(all.count) }
            }
        }
    }

    /// The routes that the table's route stands for; nil for itself alone.
    private func chain(_ index: Int) -> RouteChain? {
        let links = ([index] + followers[index, default: []]).map { index in
            RouteChain.Link(
                methods: all[index].methodsInFile,
                conditions: (all[index].configuration?.match.headers ?? []).map { HeaderCondition($0) },
                client: (all[index].configuration?.match.client ?? []).map { CertificateCondition($0) },
                route: index
            )
        }
        return RouteChain(links)
    }

    mutating func add(_ upstream: UpstreamReference) {
        declaredUpstreams.append(upstream)
    }

    mutating func add(_ upstreams: [UpstreamPlan]) {
        configuredUpstreams += upstreams
    }

    private func describe(_ error: RoutingError, of route: DeclaredRoute) -> String {
        guard case .duplicate(_, _, let existing, let host, _) = error else {
            return (route.location.map { "\($0): " } ?? "") + error.description
        }
        return "route \(route.name) conflicts with \(all[existing].name): both are for the same requests on "
            + "\(RoutingError.name(host)); remove one of them"
    }

    /// The upstream that a handler passes on to.
    private static func upstream(_ handler: Handler, _ upstreams: [RouteUpstream]) -> RouteUpstream? {
        guard case .proxy(let reference) = handler else { return nil }
        return upstreams.first { $0.upstream.name == reference.name }
    }

    /// Where routes pass requests on to, each once, and what handlers ask.
    private var upstreamReferences: [UpstreamReference] {
        var references = declaredUpstreams
        for route in all {
            if case .proxy(let reference) = route.handler, !references.contains(reference) {
                references.append(reference)
            }
        }
        return references
    }

    /// Whether requests are passed on, or handlers ask others.
    var hasUpstreams: Bool { !configuredUpstreams.isEmpty || !upstreamReferences.isEmpty }

    /// The first mistake among the routes, or between them and the settings.
    func check(_ settings: Settings) throws(AppError) {
        if let fault { throw fault }
        for route in all { try route.checkLimits(settings.rateLimiting) }
        try checkLimitKeys()
    }

    /// A limit that some routes were given must be able to hold for one of them.
    private func checkLimitKeys() throws(AppError) {
        var paths: [ObjectIdentifier: [String]] = [:]
        for route in all {
            for limit in route.properties.limits where limit.limit.parameter != nil {
                paths[ObjectIdentifier(limit), default: []].append(route.pattern)
            }
        }
        for route in all {
            for limit in route.properties.limits {
                guard let reason = limit.limit.keyFault(paths: paths[ObjectIdentifier(limit)] ?? []) else { continue }
                throw .routes("route \(route.name), limit \(limit.limit.shown): \(reason)")
            }
        }
    }

    /// Those of these limits, which are for all routes, that hold for none: they count by a parameter that none has.
    func idle(among limits: [RateLimit]) -> [RateLimit] {
        let paths = all.map(\.pattern)
        return limits.filter { $0.keyFault(paths: paths) != nil }
    }

    /// What the routes' upstreams are to be.
    func upstreamPlans(_ settings: Settings) throws(AppError) -> [UpstreamPlan] {
        let references = Upstreams.references(settings, upstreamReferences).filter { reference in
            !configuredUpstreams.contains { $0.name == reference.name }
        }
        let plans = try configuredUpstreams + Upstreams.plans(settings, references)
        for plan in plans { try plan.checkTLS() }
        do throws(SettingsError) {
            try settings.checkUpstreamTLS(isSpoken: plans.isEmpty || plans.contains { $0.tls != nil })
        } catch {
            throw .settings(error)
        }
        return plans
    }

    /// The routes as the engine runs them, with the app's middleware around each.
    ///
    /// - Parameter upstreams: those of `upstreamPlans`, in their order.
    func snapshot(
        _ settings: Settings,
        middleware: [any Middleware] = [],
        version: UInt64 = 1,
        upstreams: [UpstreamDraft] = [],
        names: IndexedNames = IndexedNames(countMax: Snapshot.namesMax),
        flow: FlowDraft? = nil,
        now: Nanoseconds = LoopClock.monotonic.now
    ) throws(AppError) -> Snapshot {
        try check(settings)
        let table = builder.build(version: version)
        let destinations = upstreams.enumerated().map { RouteUpstream(index: $0, $1) }
        let handlers = all.map { $0.handler.wrapped(in: middleware + $0.properties.middleware) }
        let routes = all.enumerated().map { index, route in
            // Not those of the table, which has only the first of a chain.
            let parameterNames = (try? RouteTableBuilder.parameterNames(of: route.pattern)) ?? []
            return Route(
                index: names.index(of: route.pattern),
                methods: route.methods,
                host: route.properties.host,
                pattern: route.pattern,
                handler: handlers[index],
                parameterNames: parameterNames,
                deadlineNanoseconds: min(settings.deadline, route.properties.deadline ?? settings.deadline)
                    .nanosecondsClamped,
                bodyBytesMax: route.properties.bodyLimit?.bytes ?? settings.limits.bodyBytes,
                upstreamIndex: Self.upstream(handlers[index], destinations)?.index ?? -1,
                upstream: Self.upstream(route.handler, destinations),
                limits: flow.flatMap { flow in
                    RouteLimits(
                        flow.limits(of: route.properties.limits, route: route.storeName, now: now),
                        areStored: settings.rateLimiting.usesStore,
                        keyHash: flow.keyHash,
                        routeIndex: names.index(of: route.storeName),
                        pattern: route.pattern,
                        storeName: route.storeName,
                        parameterNames: parameterNames,
                        writesFields: settings.rateLimiting.writesFields
                    )
                },
                pool: route.properties.isUnqueued
                    ? nil
                    : flow?.pool(of: route.properties.pool, pattern: route.pattern, now: now),
                priority: route.properties.priority.priority,
                split: route.split(destinations),
                retry: route.configuration.map { RetryPolicy($0.retry) } ?? RetryPolicy(),
                retryBudget: route.configuration.map { RetryBudget.Policy($0.retry) } ?? RetryBudget.Policy(),
                watch: route.configuration?.liveGuard.flatMap { configuration in
                    flow.map { flow in
                        RouteWatch(
                            flow.routeGuard(of: route.storeName, GuardPolicy(configuration)),
                            configuration,
                            destinations
                        )
                    }
                },
                rewrites: route.configuration.flatMap { RouteRewrites($0, pattern: route.pattern) },
                tags: route.configuration?.tags.map { RouteTags($0, destinations, names) },
                // A redirect is the same whatever is in the body.
                readsBody: route.configuration == nil,
                mirror: route.mirror.flatMap { declared in
                    flow.flatMap { flow in
                        RouteMirror(declared.mirror, flow.copies(of: declared, route: route.storeName), destinations)
                    }
                },
                chain: chain(index)
            )
        }
        return Snapshot(version: version, table: table, routes: routes, upstreams: upstreams, names: names)
    }
}
