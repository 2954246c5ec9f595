// SPDX-License-Identifier: Apache-2.0
// Collects routes and compiles them into a table. Used at start and at a reload, by one thread.

/// Collects routes, refuses those that conflict, and compiles the rest into an immutable ``RouteTable``.
///
/// Patterns:
/// - `/users/:id/orders/:order`: a parameter is a whole segment and never matches an empty one. Names are made of
///   letters, digits, `_` and `-`. At most 16 parameters, at most 2,048 bytes.
/// - `/files/*path`: a catch-all is the last segment and matches the rest, also an empty one: `/files/` but not
///   `/files`. Without a name (`/files/*`) it is called `*`.
/// - Everything else matches byte for byte, with case, after percent-decoding on both sides. `/a` and `/a/` differ.
///   Empty segments (`/a//b`) stand for themselves.
///
/// Hosts: nil for any; `shop.example.com` for one; `*.example.com` for one or more labels in front. Compared without
/// regard to case, port and a trailing dot.
package struct RouteTableBuilder {
    private struct Origin {
        let pattern: String
        let parameterNames: [String]
    }

    private var anyHost = PatternTree()
    private var hosts: [HostPattern: PatternTree] = [:]
    private var origins: [Int32: Origin] = [:]

    package init() {}

    /// Adds a route for some methods. A failed call changes nothing.
    ///
    /// One `route` may be added more than once, for several hosts or patterns, as long as the parameter names agree.
    ///
    /// - Parameter route: the caller's number for it, 0 ... `Int32.max`; comes back in ``RouteMatch/route``.
    /// - Throws: see ``RoutingError``; each says what would be right.
    /// - Complexity: O(bytes of the pattern), independent of how many routes there are.
    package mutating func add(
        _ methods: MethodSet,
        host: String?,
        pattern: String,
        route: Int
    ) throws(RoutingError) {
        guard let number = Int32(exactly: route), number >= 0 else {
            preconditionFailure("a route's number is 0 ... Int32.max")
        }
        let methods = methods.intersection(.all)
        guard !methods.isEmpty else { throw .noMethods(pattern: pattern) }
        let parsed = try RoutePattern(pattern)
        if let origin = origins[number], origin.parameterNames != parsed.parameterNames {
            throw .parameterNamesDiffer(pattern: pattern, existing: origin.pattern, route: route)
        }
        if let host {
            let key = try HostPattern(host)
            try hosts[key, default: PatternTree()].insert(parsed, methods: methods, route: number, host: host)
        } else {
            try anyHost.insert(parsed, methods: methods, route: number, host: nil)
        }
        origins[number] = Origin(pattern: pattern, parameterNames: parsed.parameterNames)
    }

    /// The names of a pattern's parameters, in its order: the slots of ``RouteMatch``.
    package static func parameterNames(of pattern: String) throws(RoutingError) -> [String] {
        try RoutePattern(pattern).parameterNames
    }

    /// Compiles the routes added so far.
    ///
    /// - Parameter version: stored in the table; nothing here looks at it.
    /// - Complexity: O(n log n) in the routes (one sort), memory about linear in the bytes of their patterns.
    package func build(version: UInt64) -> RouteTable {
        var compiler = RadixCompiler()
        let anyRoot = anyHost.leaves.isEmpty ? 0 : compiler.compile(anyHost.leaves)
        var roots: [HostIndex.Source] = []
        for (host, tree) in hosts where !tree.leaves.isEmpty {
            roots.append(HostIndex.Source(host: host, root: compiler.compile(tree.leaves)))
        }
        return RouteTable(
            version: version,
            compiled: compiler,
            hosts: HostIndex(roots, anyRoot: anyRoot),
            parameterNames: origins.mapValues(\.parameterNames)
        )
    }
}
