// SPDX-License-Identifier: Apache-2.0
// Large tables and hostile ones: what a lookup costs, counted in nodes.

import Testing
import WeirRouting
import WeirTestSupport

@Suite struct RouteTableScaleTests {
    @Test("a hundred thousand routes are built and each is found in few steps")
    func hundredThousandRoutes() throws {
        var builder = RouteTableBuilder()
        for route in 0..<100_000 {
            try builder.add(.get, host: nil, pattern: Self.pattern(route), route: route)
        }
        let table = builder.build(version: 1)
        var visitedMost = 0
        for route in 0..<100_000 {
            let path =
                "/v\(route % 7)/service\(route / 10)/42/" + (route.isMultiple(of: 2) ? "items/\(route)" : "x\(route)/7")
            let lookup = Lookup(table, path)
            guard lookup.match.route == Int32(route) else {
                Issue.record("\(path) led to \(lookup.match.route)")
                return
            }
            visitedMost = max(visitedMost, lookup.match.nodesVisited)
        }
        #expect(visitedMost <= 24)
        #expect(Lookup(table, "/v1/service99999/42/items/1").outcome == .notFound)
    }

    private static func pattern(_ route: Int) -> String {
        "/v\(route % 7)/service\(route / 10)/:id/" + (route.isMultiple(of: 2) ? "items/\(route)" : "x\(route)/:other")
    }

    /// All 2^depth patterns of `depth` levels that are each `a` or a parameter: every one of them matches `/a/a/…`
    /// up to its last segment, so a lookup that fails there has to look at all of them.
    private static func ambiguousPatterns(depth: Int) -> [String] {
        (0..<(1 << depth)).map { bits in
            (0..<depth).map { level in bits & (1 << level) == 0 ? "/a" : "/:p\(level)" }.joined() + "/end"
        }
    }

    @Test("the worst table that is allowed keeps every lookup within the bound")
    func worstAllowedTable() throws {
        let table = try RouteTable.of(Self.ambiguousPatterns(depth: 8))
        for path in [
            String(repeating: "/a", count: 8) + "/no", String(repeating: "/a", count: 4000),
            String(repeating: "/b", count: 8) + "/no", "/" + String(repeating: "a", count: 8000),
        ] {
            let lookup = Lookup(table, path)
            #expect(lookup.outcome == .notFound)
            // Two per tree node of segments, for the slash between two parameters: 2 · (2^9 - 1) and some.
            #expect(lookup.match.nodesVisited <= 1536)
            #expect(lookup.match.nodesVisited <= 256 * (path.utf8.count + 2))
        }
        #expect(Lookup(table, String(repeating: "/b", count: 8) + "/end").parameters.count == 8)
    }

    @Test("a table whose lookups could have to try more is refused when the route is added", arguments: [9, 12])
    func tooAmbiguous(depth: Int) throws {
        var builder = RouteTableBuilder()
        var added = 0
        let error = #expect(throws: RoutingError.self) {
            for pattern in Self.ambiguousPatterns(depth: depth) {
                try builder.add(.get, host: nil, pattern: pattern, route: added)
                added += 1
            }
        }
        guard case .tooAmbiguous(_, nil, let alternatives, 256) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(alternatives > 256)
        let table = builder.build(version: 1)
        let path = String(repeating: "/a", count: depth) + "/no"
        #expect(Lookup(table, path).match.nodesVisited <= 256 * (path.utf8.count + 2))
        #expect(Lookup(table, String(repeating: "/a", count: depth) + "/end").outcome == .found)
    }

    @Test("a catch-all on every level costs one step per level")
    func nestedCatchAlls() throws {
        let patterns = (0..<200).map { String(repeating: "/a", count: $0) + "/*rest" }
        let lookup = Lookup(try .of(patterns), 2, String(repeating: "/a", count: 500))
        #expect(lookup.outcome == .methodNotAllowed)
        #expect(lookup.match.nodesVisited <= 2 * 200 + 2)
    }

    @Test("the random tables of the property test keep the bound as well")
    func randomTables() throws {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<200 {
            var builder = RouteTableBuilder()
            for route in 0..<200 {
                let pattern = (0..<Int.random(in: 1...9, using: &random))
                    .map { level in Bool.random(using: &random) ? "/a" : "/:p\(level)" }.joined()
                try? builder.add(.get, host: nil, pattern: pattern, route: route)
            }
            let table = builder.build(version: 1)
            let path = String(repeating: "/a", count: 9) + "/no"
            #expect(Lookup(table, path).match.nodesVisited <= 256 * (path.utf8.count + 2))
        }
    }
}
