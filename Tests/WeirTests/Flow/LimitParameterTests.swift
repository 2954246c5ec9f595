// SPDX-License-Identifier: Apache-2.0
// Limits by a parameter that no path has: refused where they are a route's own, said where they are for all routes.

import Logging
import Testing
import Weir

@Suite(.timeLimit(.minutes(2))) struct LimitParameterTests {
    /// A limit of its own each time.
    private static var byID: RouteOption { .limit(.gcra(.perSecond(5)), by: .parameter("id")) }
    private static let warning = "a limit of WEIR_RATE_LIMIT holds for no request: no route has its parameter"

    @Test func `a route's limit by a parameter that its path has not is refused, with those that it has`() throws {
        let app = makeApp()
        app.get("/a/:name/*rest", Self.byID, on: .loop) { _, _ in .text("") }
        let error = #expect(throws: AppError.self) { try app.validate() }
        #expect(error?.description.contains("route GET /a/:name/*rest") == true)
        #expect(error?.description.contains("by=param:id") == true)
        #expect(error?.description.contains("has the parameter id; expected one of name, rest") == true)
    }

    @Test func `a group's limit is for those of its routes that have the parameter`() throws {
        let app = makeApp()
        app.group("/v1", Self.byID) { group in
            group.get("/a/:id", on: .loop) { _, _ in .text("") }
            group.get("/b", on: .loop) { _, _ in .text("") }
        }
        try app.validate()
        app.group("/v2", Self.byID) { group in group.get("/c", on: .loop) { _, _ in .text("") } }
        let error = #expect(throws: AppError.self) { try app.validate() }
        #expect(error?.description.contains("/v2/c") == true)
    }

    @Test(arguments: [
        ("limit: 5/s;by=param:id", "weir.yaml:2:58: routes[0].limit[0]: \"5/s;by=param:id\": no path of it has"),
        ("limit: [7/m, {rate: 5/s, by: 'param:id'}]", "routes[0].limit[1]: \"5/s;by=param:id\": no path of it has"),
    ])
    func `a route of the file likewise, with its place`(limit: String, expected: String) {
        let yaml = """
            upstreams: {a: {endpoints: [http://a]}}
            routes: [{upstream: a, match: {path: '/x/:name'}, \(limit)}]
            """
        let error = #expect(throws: SettingsError.self) { try GatewayConfiguration(yaml) }
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
        #expect(throws: Never.self) {
            try GatewayConfiguration(yaml.replacing("'/x/:name'", with: "[/y, '/x/:id']"))
        }
    }

    @Test func `a limit of all routes that holds for none is said at the start, once`() async throws {
        let log = CapturedLog()
        let settings = try Settings(environment: ["WEIR_RATE_LIMIT": "9/s,5/s;by=param:id, 7/m;by=param:name"])
        let app = makeApp(log: log) { $0.rateLimiting.limits = settings.rateLimiting.limits }
        app.get("/a/:name", on: .loop) { _, _ in .text("") }
        try await app.test { _ in }
        let said = log.entries.filter { $0.message == Self.warning }
        #expect(said.map(\.level) == [.warning])
        #expect(said.map(\.metadata) == [["limit": "5/s;by=param:id", "parameter": "id"]])
    }
}
