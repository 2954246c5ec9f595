// SPDX-License-Identifier: Apache-2.0
// The table that paths are looked up in: every kind of segment beside and below every other.

import WeirRouting

/// A route of the fuzzed table.
struct FuzzedRoute: Sendable {
    let methods: MethodSet
    let host: String?
    let pattern: String

    init(_ methods: MethodSet, _ pattern: String, host: String? = nil) {
        self.methods = methods
        self.host = host
        self.pattern = pattern
    }

    /// In the order of their numbers.
    static let all = [
        FuzzedRoute(.get, "/"),
        FuzzedRoute([.get, .post], "/a"),
        FuzzedRoute(.get, "/a/"),
        FuzzedRoute(.put, "/a//b"),
        FuzzedRoute(.get, "/a/b/c"),
        FuzzedRoute(.delete, "/a/:x"),
        FuzzedRoute(.get, "/a/:x/c"),
        FuzzedRoute(.post, "/:x/b/c"),
        FuzzedRoute(.get, "/:x/:y/:z"),
        FuzzedRoute(.patch, "/ab/*rest"),
        FuzzedRoute([.get, .head], "/abc/:id/files/*path"),
        FuzzedRoute(.options, "/abc/:id"),
        FuzzedRoute(.get, "/%C3%A9/%3Fq%23"),
        FuzzedRoute(.other, "/.well-known/:name"),
        FuzzedRoute(.get, "/x/:a/x/:b/x/:c/x/:d"),
        FuzzedRoute(.get, "/x/x/x/x/:last"),
        FuzzedRoute(.trace, "/x/*"),
        FuzzedRoute(.get, "/a", host: "shop.example.com"),
        FuzzedRoute(.get, "/shop/*all", host: "shop.example.com"),
        FuzzedRoute(.get, "/:only", host: "*.example.com"),
        FuzzedRoute(.get, "/b", host: "*.b.example.com"),
        FuzzedRoute(.get, "/local", host: "[::1]"),
    ]

    static let table = {
        var builder = RouteTableBuilder()
        for (index, route) in all.enumerated() {
            do throws(RoutingError) {
                try builder.add(route.methods, host: route.host, pattern: route.pattern, route: index)
            } catch {
                preconditionFailure("\(error)")
            }
        }
        return builder.build(version: 1)
    }()
}
