// SPDX-License-Identifier: Apache-2.0
// Routes as the file says them.

import Testing
import Weir

@Suite struct RouteConfigurationTests {
    @Test func `a route to an upstream has the defaults`() throws {
        let route = try GatewayConfiguration.route("")
        #expect(route.action == .forward([WeightedUpstream(upstream: "a", weight: 1)]))
        #expect(route.match.paths == ["/*path"] && route.match.hosts.isEmpty && route.match.methods.isEmpty)
        #expect(route.deadline == Settings().deadline && route.pool == .pod && route.priority == .default)
        #expect(route.retry == RetryConfiguration(Settings()) && route.rewrite == Rewrite(Settings()))
        #expect(route.headers.request.isEmpty && route.headers.response.isEmpty)
        #expect(route.limits.isEmpty && route.mirror == nil && route.tags == nil && route.liveGuard == nil)
    }

    @Test func `a match has hosts, paths, methods and fields`() throws {
        let match = try GatewayConfiguration.route(
            """
            match: {host: [Shop.example.com, "*.example.com"], path: [/a/:id, /b/:id], methods: [get, POST],
                    headers: {X-Version: 2, x-beta: {present: true}, x-old: {present: no}, user-agent: {prefix: curl/},
                              x-exact: {exact: "a b"}}}
            """
        ).match
        #expect(match.hosts == ["shop.example.com", "*.example.com"])
        #expect(match.paths == ["/a/:id", "/b/:id"])
        #expect(match.methods == [.get, .post])
        let conditions = match.headers.map(\.condition)
        #expect(match.headers.map(\.name) == ["x-version", "x-beta", "x-old", "user-agent", "x-exact"])
        #expect(conditions == [.exact("2"), .present(true), .present(false), .prefix("curl/"), .exact("a b")])
    }

    @Test func `one item may stand for a list`() throws {
        let match = try GatewayConfiguration.route("match: {host: a, path: /b, methods: PUT}").match
        #expect(match.hosts == ["a"] && match.paths == ["/b"] && match.methods == [.put])
    }

    @Test func `requests are split by weight, and may be mirrored`() throws {
        let configuration = try GatewayConfiguration(
            """
            upstreams: {a: {endpoints: [http://a]}, b: {endpoints: [http://b]}, c: {endpoints: [http://c]}}
            routes:
              - split: [{upstream: a, weight: 90}, {upstream: b, weight: 9}, {upstream: c, weight: 0}]
                mirror: {upstream: c, percent: 5}
            """
        )
        let shares = [("a", 90), ("b", 9), ("c", 0)].map { WeightedUpstream(upstream: $0.0, weight: $0.1) }
        #expect(configuration.routes[0].action == .forward(shares))
        #expect(configuration.routes[0].mirror?.upstream == "c" && configuration.routes[0].mirror?.percent == 5)
    }

    @Test(arguments: [
        ("https://shop.example.com", true), ("http://[::1]:8080", true), ("https://shop.example.com/", false),
        ("https://shop.example.com?a", false), ("/new", false), ("/new?b=c#d", false),
    ])
    func `a redirect keeps the path where its URL has none`(target: String, keepsPath: Bool) throws {
        let route = try GatewayConfiguration("routes: [{redirect: {to: '\(target)', status: 302}}]").routes[0]
        guard case .redirect(let redirect) = route.action else { throw Unexpected() }
        #expect(redirect.target == target && redirect.status == 302 && redirect.keepsPath == keepsPath)
    }

    @Test(arguments: [
        ("", RouteConfiguration.Pool.pod), ("pool: pod", .pod), ("pool: none", .none), ("pool: p", .named("p")),
        ("concurrency: 64", .own(concurrency: .exactly(64), queue: .automatic)),
        ("concurrency: 2/cpu, queue: 0", .own(concurrency: .perCPU(2), queue: .exactly(0))),
    ])
    func `a route waits in a pool`(fields: String, pool: RouteConfiguration.Pool) throws {
        let configuration = try GatewayConfiguration(
            """
            concurrency: 32
            upstreams: {a: {endpoints: [http://a]}}
            pools: {p: {queue: 7}}
            routes: [{upstream: a, \(fields)}]
            """
        )
        #expect(configuration.routes[0].pool == pool)
        #expect(configuration.pools[0].concurrency == .exactly(32) && configuration.pools[0].queue == .exactly(7))
    }

    @Test(arguments: [
        ("100/s;burst=20;by=client", ["100/s;burst=20;by=client;name=client"]),
        ("[{rate: 100/s, burst: 20, by: client}]", ["100/s;burst=20;by=client;name=client"]),
        ("{rate: 5/10m, algorithm: sliding-window, name: slow}", ["5/10m;algorithm=sliding-window;name=slow"]),
        (
            "[1/s, {rate: 2/m, by: 'header:X-Key'}, 3/h]",
            ["1/s;name=total", "2/m;by=header:x-key;name=header", "3/h;name=total-2"]
        ),
    ])
    func `limits are texts or mappings`(yaml: String, limits: [String]) throws {
        #expect(try GatewayConfiguration.route("limit: \(yaml)").limits.map(\.description) == limits)
    }

    @Test func `everything else can be said`() throws {
        let route = try GatewayConfiguration.route(
            """
            match: {path: "/v1/:id/*rest"}, deadline: 2s, priority: sheddable,
            retry: {attempts: 1, "on": [connect, 503], attempt-timeout: 300ms, budget: 10, budget-min: 1,
                    backoff: 10ms, backoff-max: 1s},
            rewrite: {path: "/x/:id/*rest", host: Orders.svc:8080},
            headers: {request: {set: {X-A: 1}, add: {x-b: "c d"}, remove: [X-C, cookie]}, response: {remove: server}},
            tags: {header: X-Track, upstreams: {canary: a, "2": a}},
            guard: {factor: 3, window: 10s, windows: 2, then: {shed: true, deadline: 1s, upstream: a}}
            """
        )
        #expect(route.deadline == .seconds(2) && route.priority == .sheddable)
        #expect(route.retry.attempts == 1 && route.retry.conditions == [.connect, .unavailable])
        #expect(route.retry.attemptTimeout == .milliseconds(300))
        #expect(route.retry.budgetPercent == 10 && route.retry.budgetMinPerSecond == 1)
        #expect(route.retry.backoff == .milliseconds(10) && route.retry.backoffMax == .seconds(1))
        #expect(route.rewrite.path == "/x/:id/*rest" && route.rewrite.host == "orders.svc:8080")
        let edits = route.headers.request
        #expect(edits.replaced.map(\.name) == ["x-a"] && edits.replaced.map(\.value) == ["1"])
        #expect(edits.added.map(\.name) == ["x-b"] && edits.added.map(\.value) == ["c d"])
        #expect(edits.removed == ["x-c", "cookie"] && route.headers.response.removed == ["server"])
        #expect(route.tags?.header == "x-track" && route.tags?.tags.map(\.value) == ["canary", "2"])
        let guarding = try #require(route.liveGuard)
        #expect(guarding.factor == 3 && guarding.window == .seconds(10) && guarding.windows == 2)
        #expect(guarding.degradation.shedsSheddable && guarding.degradation.deadline == .seconds(1))
        #expect(guarding.degradation.upstream == "a")
    }

    @Test func `a field with nothing behind it is not given`() throws {
        let route = try GatewayConfiguration.route(
            "match: , deadline: ~, retry: null, headers: {request: }, redirect: , tags: "
        )
        #expect(route == (try GatewayConfiguration.route("")))
    }

    @Test func `an alias repeats a value`() throws {
        let configuration = try GatewayConfiguration(
            """
            upstreams:
              a: {endpoints: [http://a], check: &check {http: /healthz, interval: 7s}}
              b: {endpoints: [http://b], check: *check}
            routes: [{upstream: a}]
            """
        )
        #expect(configuration.upstreams[1].check == configuration.upstreams[0].check)
        #expect(configuration.upstreams[1].check?.interval == .seconds(7))
    }
}

private struct Unexpected: Error {}
