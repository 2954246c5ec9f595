// SPDX-License-Identifier: Apache-2.0
// Whether every route gets requests: the route table takes each path once, and header conditions part those that share it.

import WeirRouting

/// Adds the routes to a table as the engine does, and finds one that no request can reach.
struct ReachabilityCheck {
    /// A leaf of the table: where several routes meet.
    private struct Leaf: Hashable {
        let host: String?
        /// The pattern of the route that was there first.
        let pattern: String
        let method: Method
    }

    /// The most routes for one host, path and method: a request is compared with one after the other.
    static let routesPerLeafMax = 64

    let document: ConfigurationDocument

    func run(_ routes: [RouteConfiguration]) throws(SettingsError) {
        var builder = RouteTableBuilder()
        // Each path of a route has parameters of its own, so the table has each under a number of its own.
        var number = 0
        var leaves: [Leaf: [Int]] = [:]
        for (index, route) in routes.enumerated() {
            let hosts = route.match.hosts.isEmpty ? [nil] : route.match.hosts.map { Optional($0) }
            let named = route.match.methods.isEmpty ? Method.allCases.filter { $0 != .connect } : route.match.methods
            // A route for GET takes HEAD requests too, as `DeclaredRoute.methodsInFile` says. That others have taken them
            // in front of it is no mistake.
            let methods = named.contains(.get) && !named.contains(.head) ? named + [.head] : named
            for host in hosts {
                for (pathIndex, pattern) in route.match.paths.enumerated() {
                    for method in methods {
                        let path = FieldPath.root.key("routes").index(index).key("match").key("path").index(pathIndex)
                        let known = try add(method, host, pattern, number, path, &builder)
                        let leaf = Leaf(host: host, pattern: known, method: method)
                        if named.contains(method) { try check(routes, index, behind: leaves[leaf, default: []]) }
                        leaves[leaf, default: []].append(index)
                    }
                    number += 1
                }
            }
        }
    }

    /// Adds a pattern; gives that under which its leaf is known.
    private func add(
        _ method: Method,
        _ host: String?,
        _ pattern: String,
        _ number: Int,
        _ path: FieldPath,
        _ builder: inout RouteTableBuilder
    ) throws(SettingsError) -> String {
        do throws(RoutingError) {
            try builder.add(method.set, host: host, pattern: pattern, route: number)
            return pattern
        } catch .duplicate(_, let existing, _, _, _) {
            return existing
        } catch {
            throw document.fault(path, error.description)
        }
    }

    private func check(
        _ routes: [RouteConfiguration],
        _ index: Int,
        behind others: [Int]
    ) throws(SettingsError) {
        let path = FieldPath.root.key("routes").index(index)
        if others.contains(index) {
            throw document.fault(path.key("match"), "host, path and method are there twice in this route")
        }
        guard others.count < Self.routesPerLeafMax else {
            throw document.fault(
                path.key("match"),
                "more than \(Self.routesPerLeafMax) routes are for the same host, path and method"
            )
        }
        for other in others where routes[other].match.conditionsAreImplied(by: routes[index].match) {
            throw document.fault(
                path.key("match"),
                "no request comes here, routes[\(other)] takes them all; remove one, or move this in front of it"
            )
        }
    }
}
