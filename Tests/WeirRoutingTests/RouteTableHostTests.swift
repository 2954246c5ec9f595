// SPDX-License-Identifier: Apache-2.0
// How hosts choose among tables of patterns.

import Testing
import WeirRouting

@Suite struct RouteTableHostTests {
    private static func table() throws -> RouteTable {
        var builder = RouteTableBuilder()
        let hosts: [String?] = [nil, "shop.example.com", "*.example.com", "*.eu.example.com", "[::1]", "localhost"]
        for (route, host) in hosts.enumerated() {
            try builder.add(.get, host: host, pattern: "/", route: route)
            try builder.add(.get, host: host, pattern: "/only\(route)", route: route)
        }
        try builder.add(.post, host: "shop.example.com", pattern: "/only0", route: 6)
        return builder.build(version: 1)
    }

    @Test(
        "the exact host goes before the longest wildcard, and that before any",
        arguments: [
            ("shop.example.com", 1), ("SHOP.Example.Com", 1), ("shop.example.com:8080", 1), ("shop.example.com.", 1),
            ("shop.example.com.:80", 1), ("shop.example.com:", 1),
            ("www.example.com", 2), ("a.b.c.example.com", 2), ("xshop.example.com", 2), ("a.shop.example.com", 2),
            ("eu.example.com", 2), ("a.eu.example.com", 3), ("b.a.EU.example.com.:1", 3),
            ("example.com", 0), (".example.com", 0), ("xexample.com", 0), ("", 0), (":80", 0), (".", 0), ("other", 0),
            ("localhost", 5), ("LOCALHOST:1", 5), ("a.localhost", 0),
            ("[::1]", 4), ("[::1]:8080", 4), ("[::1", 0), ("[::2]", 0), ("::1", 0),
            (String(repeating: "a.", count: 121) + "example.com", 2),
            (String(repeating: "a.", count: 122) + "example.com", 0),
        ]
    )
    func precedence(host: String, route: Int32) throws {
        #expect(Lookup(try Self.table(), host: host, "/").match.route == route)
    }

    @Test(
        "a host without any route for the path hands over to the less specific ones",
        arguments: [
            ("shop.example.com", "/only1", 1), ("shop.example.com", "/only2", 2), ("shop.example.com", "/only3", -1),
            ("a.eu.example.com", "/only3", 3), ("a.eu.example.com", "/only2", 2), ("a.eu.example.com", "/only0", 0),
            ("[::1]:80", "/only0", 0), ("localhost", "/only4", -1), ("", "/only1", -1),
        ]
    )
    func fallThrough(host: String, path: String, route: Int32) throws {
        let lookup = Lookup(try Self.table(), host: host, path)
        #expect(lookup.match.route == route)
        #expect(lookup.outcome == (route < 0 ? .notFound : .found))
    }

    @Test("a host that has the path for other methods answers 405 itself")
    func noFallThroughOnMethod() throws {
        let lookup = Lookup(try Self.table(), host: "shop.example.com", "/only0")
        #expect(lookup.answer == Answer(kind: .methodNotAllowed, allowed: [.post, .options]))
    }

    @Test("a table without routes for any host finds only its hosts")
    func hostsOnly() throws {
        var builder = RouteTableBuilder()
        try builder.add(.get, host: "*.b.c", pattern: "/", route: 0)
        try builder.add(.get, host: "a.b.c", pattern: "/x", route: 1)
        let table = builder.build(version: 1)
        #expect(Lookup(table, host: "a.b.c", "/").match.route == 0)
        #expect(Lookup(table, host: "b.c", "/").outcome == .notFound)
        #expect(Lookup(table, host: "", "/").outcome == .notFound)
    }

    @Test("ten thousand hosts are each found")
    func manyHosts() throws {
        var builder = RouteTableBuilder()
        for route in 0..<10_000 {
            let host = route.isMultiple(of: 2) ? "h\(route).example.com" : "*.w\(route).example.com"
            try builder.add(.get, host: host, pattern: "/", route: route)
        }
        let table = builder.build(version: 1)
        for route in 0..<10_000 {
            let host = route.isMultiple(of: 2) ? "H\(route).example.com:80" : "x.y.w\(route).example.com"
            #expect(Lookup(table, host: host, "/").match.route == Int32(route))
        }
        #expect(Lookup(table, host: "h1.example.com", "/").outcome == .notFound)
    }
}
