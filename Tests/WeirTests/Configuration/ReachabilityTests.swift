// SPDX-License-Identifier: Apache-2.0
// Which routes can share a path, and which never get a request.

import Testing
import Weir

@Suite struct ReachabilityTests {
    private static func configuration(_ matches: [String]) throws -> GatewayConfiguration {
        try GatewayConfiguration(
            "upstreams: {a: {endpoints: [http://a]}}\nroutes:\n"
                + matches.map { "  - {upstream: a, match: {\($0)}}\n" }.joined()
        )
    }

    @Test(arguments: [
        ["path: /a", "path: /b"],
        ["path: /a", "path: '/:x'", "path: '/*y'"],
        ["path: /a, methods: GET", "path: /a, methods: POST"],
        ["path: /a, host: b", "path: /a, host: c", "path: /a"],
        ["path: /a, headers: {x: 1}", "path: /a, headers: {x: 2}", "path: /a"],
        [
            "path: /a, headers: {x: {prefix: ab}}", "path: /a, headers: {x: {prefix: a}}",
            "path: /a, headers: {x: {present: yes}}",
        ],
        ["path: /a, headers: {x: 1, y: 2}", "path: /a, headers: {x: 1}"],
        ["path: /a, headers: {x: {present: yes}}", "path: /a, headers: {x: {present: no}}"],
        ["path: '/:a', headers: {x: 1}", "path: '/:b'"],
        ["path: /a, methods: HEAD", "path: /a, methods: GET"],
        ["path: /a, methods: GET, headers: {x: 1}", "path: /a, methods: HEAD", "path: /a, methods: GET"],
    ])
    func `routes that all get requests`(matches: [String]) throws {
        #expect(try Self.configuration(matches).routes.count == matches.count)
    }

    @Test(arguments: [
        (["path: /a", "path: /a"], 1, 0),
        (["path: '/:a'", "path: '/:b'"], 1, 0),
        (["path: /a", "path: /b", "path: /a, methods: GET"], 2, 0),
        (["path: [/b, /a]", "path: /a, headers: {x: 1}"], 1, 0),
        (["path: /a, headers: {x: 1}", "path: /a, headers: {x: 1, y: 2}"], 1, 0),
        (["path: /a, headers: {x: {prefix: a}}", "path: /a, headers: {x: abc}"], 1, 0),
        (["path: /a, headers: {x: {present: yes}}", "path: /a, headers: {X: {prefix: b}}"], 1, 0),
        (["path: /a, headers: {x: 1}", "path: /a", "path: /a, headers: {x: 2}"], 2, 1),
        (["path: /a, host: [b, c]", "path: /a, host: C."], 1, 0),
        (["path: /a, methods: GET", "path: /a, methods: HEAD"], 1, 0),
        (["path: /a, methods: [GET, POST]", "path: /a, methods: [HEAD, PUT]"], 1, 0),
    ])
    func `a route that gets none`(matches: [String], route: Int, other: Int) {
        let error = #expect(throws: SettingsError.self) { try Self.configuration(matches) }
        #expect(
            error?.description
                == "weir.yaml:\(route + 3):26: routes[\(route)].match: no request comes here, routes[\(other)] takes them all; "
                + "remove one, or move this in front of it"
        )
    }

    @Test func `a path has so many routes, and no more`() throws {
        let matches = (0...64).map { "path: /a, headers: {x: \($0)}" }
        #expect(try Self.configuration(matches.dropLast()).routes.count == 64)
        let error = #expect(throws: SettingsError.self) { try Self.configuration(matches) }
        #expect(
            error?.description
                == "weir.yaml:67:26: routes[64].match: more than 64 routes are for the same host, path and method"
        )
    }

    @Test func `the paths of a route have parameters of their own`() throws {
        #expect(try Self.configuration(["path: ['/a', '/a/:b', '/c/*d']"]).routes.count == 1)
    }

    @Test(arguments: [
        ("path: [/a, /a]", "3:26: routes[0].match: host, path and method are there twice in this route"),
        ("path: ['/a/:b', '/a/:c']", "3:26: routes[0].match: host, path and method are there twice in this route"),
    ])
    func `a route that does not fit itself`(match: String, fault: String) {
        let error = #expect(throws: SettingsError.self) { try Self.configuration([match]) }
        #expect(error?.description.hasPrefix("weir.yaml:\(fault)") == true)
    }
}
