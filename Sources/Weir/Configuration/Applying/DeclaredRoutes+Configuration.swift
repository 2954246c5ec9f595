// SPDX-License-Identifier: Apache-2.0
// From a configuration to declared routes: what the file says, in the words of code. Pure; at start and at each reload.

import WeirRouting

extension DeclaredRoutes {
    /// These routes, and behind them what a configuration declares. Each call makes its limits and pools anew.
    func adding(_ configuration: GatewayConfiguration?) -> DeclaredRoutes {
        guard let configuration else { return self }
        var routes = self
        routes.add(configuration.upstreamPlans)
        let pools = configuration.pools.map { DeclaredPool($0.concurrency, queue: $0.queue, name: $0.name) }
        for route in configuration.routes {
            for declared in route.declared(pools) { routes.add(declared) }
        }
        return routes
    }
}

extension RouteConfiguration {
    /// A route for each host and path; they share limits, pool and mirror.
    fileprivate func declared(_ pools: [DeclaredPool]) -> [DeclaredRoute] {
        let methods = match.methods.isEmpty ? DeclaredRoute.anyMethod : MethodSet(match.methods.map(\.set))
        let properties = properties(pools)
        let mirror = mirror.map { DeclaredMirror($0) }
        let hosts = match.hosts.isEmpty ? [nil] : match.hosts.map { Optional($0) }
        return hosts.flatMap { host in
            match.paths.map { path in
                var properties = properties
                properties.host = host
                return DeclaredRoute(
                    methods: methods,
                    pattern: path,
                    handler: handler,
                    properties: properties,
                    configuration: self,
                    mirror: mirror
                )
            }
        }
    }

    private func properties(_ pools: [DeclaredPool]) -> RouteProperties {
        var properties = RouteProperties()
        properties.deadline = deadline
        properties.limits = limits.map { DeclaredLimit($0) }
        properties.priority = priority
        switch pool {
        case .pod: break
        case .none: properties.isUnqueued = true
        case .named(let name): properties.pool = pools.first { $0.name == name }
        case .own(let concurrency, let queue): properties.pool = DeclaredPool(concurrency, queue: queue)
        }
        return properties
    }

    private var handler: Handler {
        switch action {
        case .forward(let shares):
            // There is one above 0, which the check of the file has seen to.
            let first = shares.first { $0.weight > 0 }?.upstream ?? ""
            return .proxy(.upstream(first))
        case .redirect(let redirect):
            return redirect.handler
        }
    }
}
