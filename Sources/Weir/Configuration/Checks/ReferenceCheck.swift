// SPDX-License-Identifier: Apache-2.0
// What parts of a configuration say of each other: names that must be there, times and limits that must fit. Pure.

import WeirRouting

/// Looks through a configuration for the first part that does not fit the others.
struct ReferenceCheck {
    private let configuration: GatewayConfiguration
    private let document: ConfigurationDocument
    private let upstreams: Set<String>
    private let pools: Set<String>

    init(_ configuration: GatewayConfiguration, _ document: ConfigurationDocument) {
        self.configuration = configuration
        self.document = document
        upstreams = Set(configuration.upstreams.map(\.name))
        pools = Set(configuration.pools.map(\.name) + Self.ownPools)
    }

    /// Names of pools that mean something of themselves.
    private static let ownPools = ["pod", "none"]

    func run() throws(SettingsError) {
        try checkUpstreams()
        for pool in configuration.pools where Self.ownPools.contains(pool.name) {
            throw document.fault(
                FieldPath.root.key("pools").key(pool.name),
                "this name is Weir's own; expected another"
            )
        }
        for (index, route) in configuration.routes.enumerated() {
            let path = FieldPath.root.key("routes").index(index)
            try checkUpstreams(of: route, path)
            try checkFlow(of: route, path)
            try checkRewrite(of: route, path)
        }
        if configuration.routes.isEmpty, let first = configuration.upstreams.first,
            configuration.upstream(GatewayConfiguration.defaultUpstream) == nil
        {
            throw document.fault(
                FieldPath.root.key("upstreams").key(first.name),
                "no request comes here; expected routes:, or an upstream called default"
            )
        }
    }

    private func checkUpstreams() throws(SettingsError) {
        for upstream in configuration.upstreams where upstream.endpoints.isEmpty && upstream.discover == nil {
            let path = FieldPath.root.key("upstreams").key(upstream.name)
            throw document.fault(path, "expected endpoints or discover")
        }
    }

    private func checkUpstreams(of route: RouteConfiguration, _ path: FieldPath) throws(SettingsError) {
        if let upstream = route.upstream { try check(upstream: upstream, path.key("upstream")) }
        for (index, share) in route.split.enumerated() {
            try check(upstream: share.upstream, path.key("split").index(index).key("upstream"))
        }
        if let mirror = route.mirror { try check(upstream: mirror.upstream, path.key("mirror").key("upstream")) }
        for tag in route.tags?.tags ?? [] {
            try check(upstream: tag.upstream, path.key("tags").key("upstreams").key(tag.value))
        }
        if let upstream = route.liveGuard?.degradation.upstream {
            try check(upstream: upstream, path.key("guard").key("then").key("upstream"))
        }
    }

    private func check(upstream name: String, _ path: FieldPath) throws(SettingsError) {
        try check(name, "upstream", upstreams, path)
    }

    private func check(_ name: String, _ thing: String, _ known: Set<String>, _ path: FieldPath) throws(SettingsError) {
        if known.contains(name) { return }
        let hint = NearestName.find(name, in: known.sorted(), prefix: "").map { "did you mean \($0)?" }
        throw document.fault(path, "\"\(name)\" is no \(thing); \(hint ?? "expected one of \(thing)s:")")
    }

    private func checkFlow(of route: RouteConfiguration, _ path: FieldPath) throws(SettingsError) {
        let settings = configuration.settings
        if case .named(let name) = route.pool {
            try check(name, "pool", pools, path.key("pool"))
        }
        if route.deadline > settings.deadline {
            let most = ValueForm<Duration>.duration(.zero ... .seconds(3600)).format(settings.deadline)
            throw document.fault(path.key("deadline"), "expected a duration not above WEIR_DEADLINE, which is \(most)")
        }
        if let deadline = route.liveGuard?.degradation.deadline, deadline >= route.deadline {
            throw document.fault(
                path.key("guard").key("then").key("deadline"),
                "expected a duration below the route's deadline"
            )
        }
        try checkLimits(of: route, path.key("limit"))
    }

    private func checkLimits(of route: RouteConfiguration, _ path: FieldPath) throws(SettingsError) {
        let settings = configuration.settings.rateLimiting
        let count = settings.limits.count + route.limits.count
        if count > RouteLimits.limitsMax {
            throw document.fault(
                path,
                "\(count) limits with WEIR_RATE_LIMIT's; expected at most \(RouteLimits.limitsMax)"
            )
        }
        for (index, limit) in route.limits.enumerated() {
            guard let reason = settings.clusterFault(of: limit) ?? limit.keyFault(paths: route.match.paths) else {
                continue
            }
            throw document.fault(path.index(index), "\(SettingsError.quoted(limit.shown)): \(reason)")
        }
    }

    private func checkRewrite(of route: RouteConfiguration, _ path: FieldPath) throws(SettingsError) {
        for pattern in route.match.paths {
            let names = Self.parameters(of: pattern)
            let isOpen = pattern.split(separator: "/").last?.hasPrefix("*") ?? false
            if route.rewrite.prefix != nil, !isOpen {
                throw document.fault(
                    path.key("rewrite").key("prefix"),
                    "match.path \"\(pattern)\" does not end in *; expected rewrite.path"
                )
            }
            guard let template = route.rewrite.path else { continue }
            for name in Self.parameters(of: template) where !names.contains(name) {
                throw document.fault(
                    path.key("rewrite").key("path"),
                    "\"\(name)\" is no parameter of match.path \"\(SettingsError.oneLine(pattern))\""
                )
            }
        }
    }

    /// The names of a pattern's parameters, with their mark: `:id`, `*rest`, `*`.
    private static func parameters(of pattern: String) -> [String] {
        pattern.split(separator: "/").filter { $0.hasPrefix(":") || $0.hasPrefix("*") }.map(String.init)
    }
}
