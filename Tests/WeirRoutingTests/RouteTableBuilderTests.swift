// SPDX-License-Identifier: Apache-2.0
// What a builder takes and what it refuses, with which words.

import Testing
import WeirRouting

@Suite struct RouteTableBuilderTests {
    static let long = "/" + String(repeating: "a", count: 2048)
    static let seventeen = String(repeating: "/:", count: 1) + (1...17).map { "p\($0)" }.joined(separator: "/:")

    @Test(
        "a pattern that no request could match as meant is refused",
        arguments: [
            ("", .notAbsolute(pattern: "")),
            ("users", .notAbsolute(pattern: "users")),
            ("*path", .notAbsolute(pattern: "*path")),
            (long, .tooLong(pattern: long, byteCount: 2049, bytesMax: 2048)),
            ("/users/:", .emptyParameterName(pattern: "/users/:")),
            ("/:a b", .invalidParameterName(pattern: "/:a b", name: "a b")),
            ("/:id.json", .invalidParameterName(pattern: "/:id.json", name: "id.json")),
            ("/:a/:b/:a", .repeatedParameterName(pattern: "/:a/:b/:a", name: "a")),
            ("/:a/*a", .repeatedParameterName(pattern: "/:a/*a", name: "a")),
            (seventeen, .tooManyParameters(pattern: seventeen, count: 17, countMax: 16)),
            ("/*path/x", .catchAllNotLast(pattern: "/*path/x")),
            ("/*/", .catchAllNotLast(pattern: "/*/")),
            ("/a:b", .partialSegment(pattern: "/a:b", segment: "a:b")),
            ("/a*", .partialSegment(pattern: "/a*", segment: "a*")),
            ("/:a:b", .partialSegment(pattern: "/:a:b", segment: "a:b")),
            ("/**", .partialSegment(pattern: "/**", segment: "*")),
            ("/a/./b", .dotSegment(pattern: "/a/./b")),
            ("/a/..", .dotSegment(pattern: "/a/..")),
            ("/%2e%2E", .dotSegment(pattern: "/%2e%2E")),
            ("/%", .invalidEscape(pattern: "/%")),
            ("/%4", .invalidEscape(pattern: "/%4")),
            ("/%4/1", .invalidEscape(pattern: "/%4/1")),
            ("/%g1", .invalidEscape(pattern: "/%g1")),
            ("/a?b", .forbiddenByte(pattern: "/a?b", byte: 0x3F)),
            ("/a#b", .forbiddenByte(pattern: "/a#b", byte: 0x23)),
            ("/a\\b", .forbiddenByte(pattern: "/a\\b", byte: 0x5C)),
            ("/a%5Cb", .forbiddenByte(pattern: "/a%5Cb", byte: 0x5C)),
            ("/a%2Fb", .forbiddenByte(pattern: "/a%2Fb", byte: 0x2F)),
            ("/a\u{1}", .forbiddenByte(pattern: "/a\u{1}", byte: 1)),
            ("/a%00", .forbiddenByte(pattern: "/a%00", byte: 0)),
            ("/a\u{7F}", .forbiddenByte(pattern: "/a\u{7F}", byte: 0x7F)),
        ] as [(String, RoutingError)]
    )
    func invalidPattern(pattern: String, expected: RoutingError) {
        var builder = RouteTableBuilder()
        #expect(throws: expected) { try builder.add(.get, host: nil, pattern: pattern, route: 0) }
        #expect(!expected.description.isEmpty)
    }

    @Test(
        "patterns with every legal piece are taken",
        arguments: [
            "/", "//", "/a//b/", "/:a_1-B", "/*", "/*rest", "/:a/*a1", "/%3Aid", "/a%2A", "/%3F%23%25", "/...",
            "/.well-known",
            "/é", "/a b",
        ]
    )
    func validPattern(pattern: String) throws {
        var builder = RouteTableBuilder()
        try builder.add(.get, host: nil, pattern: pattern, route: 0)
    }

    @Test(
        "a host that no request could name is refused",
        arguments: [
            "", "*", "*.", "a.*.b", "*.*.b", "a:80", "[::1]:80", "[::g]", "[]", "*.[::1]", "a..b", ".a", "ü.de", "a b",
            String(repeating: "a", count: 64), String(repeating: "a.", count: 127) + "a",
        ]
    )
    func invalidHost(host: String) throws {
        var builder = RouteTableBuilder()
        let error = #expect(throws: RoutingError.self) {
            try builder.add(.get, host: host, pattern: "/", route: 0)
        }
        guard case .invalidHost(host, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(
        "two routes with the same shape, host and method conflict, and both patterns are named",
        arguments: [
            ("/users/:id", "/users/:name"),
            ("/a/*x", "/a/*"),
            ("/%61", "/a"),
            ("/:a/b/:c", "/:x/b/:y"),
        ]
    )
    func duplicate(first: String, second: String) throws {
        var builder = RouteTableBuilder()
        try builder.add([.get, .put], host: "Example.com", pattern: first, route: 0)
        let expected = RoutingError.duplicate(
            pattern: second,
            existing: first,
            existingRoute: 0,
            host: "example.COM.",
            methods: .put
        )
        #expect(throws: expected) {
            try builder.add([.put, .post], host: "example.COM.", pattern: second, route: 1)
        }
        #expect(expected.description.contains("\"\(first)\"") && expected.description.contains("\"\(second)\""))
        #expect(expected.description.contains("PUT"))
        // Another method, host or shape is no conflict.
        try builder.add(.post, host: "example.com", pattern: second, route: 1)
        try builder.add(.put, host: "*.example.com", pattern: second, route: 1)
        try builder.add(.put, host: nil, pattern: second, route: 1)
        try builder.add(.put, host: "example.com", pattern: "/more" + second, route: 2)
    }

    @Test("a failed add leaves no trace")
    func failedAdd() throws {
        var builder = RouteTableBuilder()
        try builder.add(.get, host: nil, pattern: "/a", route: 0)
        #expect(throws: RoutingError.self) { try builder.add(.all, host: nil, pattern: "/a", route: 1) }
        #expect(throws: RoutingError.self) { try builder.add(.get, host: "h", pattern: "/a/:x/:x", route: 1) }
        #expect(throws: RoutingError.noMethods(pattern: "/b")) {
            try builder.add([], host: nil, pattern: "/b", route: 1)
        }
        let table = builder.build(version: 7)
        #expect(table.version == 7)
        #expect(Lookup(table, 2, host: "h", "/a").answer.allowed == [.get, .head, .options])
        #expect(table.parameterNames(of: 1) == [])
    }

    @Test("parameter names are kept by slot, and must agree where a route is added again")
    func parameterNames() throws {
        var builder = RouteTableBuilder()
        try builder.add(.get, host: nil, pattern: "/u/:id/f/*path", route: 3)
        try builder.add(.get, host: "h", pattern: "/v/:id/*path", route: 3)
        try builder.add(.post, host: nil, pattern: "/u/:user/f/*", route: 4)
        #expect(
            throws: RoutingError.parameterNamesDiffer(pattern: "/w/:x", existing: "/v/:id/*path", route: 3)
        ) { try builder.add(.get, host: nil, pattern: "/w/:x", route: 3) }
        let table = builder.build(version: 1)
        #expect(table.parameterNames(of: 3) == ["id", "path"])
        #expect(table.parameterNames(of: 4) == ["user", "*"])
        #expect(table.parameterNames(of: 5) == [])
        #expect(table.parameterNames(of: -1) == [])
    }

    @Test("a builder goes on after build, and tables do not change")
    func buildTwice() throws {
        var builder = RouteTableBuilder()
        try builder.add(.get, host: nil, pattern: "/a", route: 0)
        let before = builder.build(version: 1)
        try builder.add(.get, host: nil, pattern: "/b", route: 1)
        let after = builder.build(version: 2)
        #expect(Lookup(before, "/b").outcome == .notFound)
        #expect(Lookup(after, "/b").outcome == .found)
        #expect(Lookup(after, "/a").outcome == .found)
    }
}
