// SPDX-License-Identifier: Apache-2.0
// Upstreams as the file says them.

import Testing
import Weir
import WeirUpstream

@Suite struct UpstreamConfigurationTests {
    @Test func `an upstream of one endpoint has the defaults`() throws {
        let upstream = try GatewayConfiguration.upstream("endpoints: [http://10.0.0.1:8080]")
        var expected = UpstreamConfiguration(Settings())
        expected.name = "default"
        expected.endpoints = [try EndpointURL(parsing: "http://10.0.0.1:8080")]
        #expect(upstream == expected)
        #expect(
            upstream.ejection == EjectionConfiguration(Settings())
                && upstream.breaker == BreakerConfiguration(Settings())
        )
        #expect(upstream.check == nil)
    }

    @Test(arguments: [
        ("[http://a;weight=3]", ["http://a;weight=3"]),
        ("[{url: http://a, weight: 3}]", ["http://a;weight=3"]),
        ("[{url: http://a;weight=3}]", ["http://a;weight=3"]),
        ("[{url: 'unix:/run/a.sock'}, http://A:80]", ["unix:/run/a.sock", "http://a"]),
    ])
    func `an endpoint is a text or a mapping`(yaml: String, endpoints: [String]) throws {
        #expect(try GatewayConfiguration.upstream("endpoints: \(yaml)").endpoints.map(\.description) == endpoints)
    }

    @Test func `settings of all upstreams hold where an upstream says nothing`() throws {
        let configuration = try GatewayConfiguration(
            """
            upstream: {connections: 7, idle-timeout: 9s, header-fields: 20}
            upstreams:
              a: {endpoints: [http://a]}
              default: {endpoints: [http://b], connections: 8, timeouts: {idle: 3s}}
            """,
            ["WEIR_UPSTREAM_PROXY_PROTOCOL": "v2"]
        )
        let first = try #require(configuration.upstream("a"))
        let second = try #require(configuration.upstream("default"))
        #expect(first.connectionsMax == 7 && second.connectionsMax == 8)
        #expect(first.timeouts.idle == .seconds(9) && second.timeouts.idle == .seconds(3))
        #expect(first.timeouts.connect == .seconds(5) && second.timeouts.connect == .seconds(5))
        #expect(first.headerFields == 20 && first.proxyProtocol == .v2)
    }

    @Test func `TLS is that of all upstreams where an upstream says nothing of it`() throws {
        let configuration = try GatewayConfiguration(
            """
            upstream: {tls: {ca: /ca.crt, min: 1.3}}
            upstreams:
              a: {discover: 'dns://a:443', tls: {}}
              default:
                endpoints: [https://b]
                tls: {ca: /b.crt, server-name: B.test, certificate: /c.crt, key: /c.key, min-version: 1.2}
              c: {endpoints: [https://c], tls: {verify: false}}
            """
        )
        let first = try #require(configuration.upstream("a")?.tls?.settings)
        #expect(first.authorities == "/ca.crt" && first.lowest == .tls13 && first.verifies)
        let second = try #require(configuration.upstream("default")?.tls?.settings)
        #expect(second.authorities == "/b.crt" && second.serverName == "b.test" && second.lowest == .tls12)
        #expect(second.certificate == "/c.crt" && second.key == "/c.key" && second.verifies)
        #expect(configuration.upstream("c")?.tls?.settings.verifies == false)
    }

    @Test(arguments: [
        ("client", HashKey.client), ("{header: X-User}", .header("x-user")), ("{cookie: Session}", .cookie("Session")),
    ])
    func `maglev has a key`(yaml: String, key: HashKey) throws {
        let upstream = try GatewayConfiguration.upstream("endpoints: [http://a], balance: maglev, hash: \(yaml)")
        #expect(upstream.balance == .maglev && upstream.hash == key)
    }

    @Test func `everything about health can be said`() throws {
        let upstream = try GatewayConfiguration.upstream(
            """
            endpoints: [http://a], panic-threshold: 0%, slow-start: off,
            check: {http: "/healthz?deep", host: shop.example.com, interval: 10s, timeout: 2s, success-before-passing: 2,
                    failures-before-warning: 1, failures-before-critical: 3},
            weights: {passing: 10, warning: 1},
            ejection: {interval: 5s, consecutive-failures: 3, requests-min: 10, failure-margin: 10, latency-factor: off,
                       time: 10s, time-max: 1m, ejected-max: 30%},
            breaker: {failures: 3, probes: 2, open: 500ms, open-max: 10s}
            """
        )
        #expect(upstream.panicThresholdPercent == 0 && upstream.slowStart == nil)
        let check = try #require(upstream.check)
        #expect(check.kind == .http(path: "/healthz?deep") && check.host == "shop.example.com")
        #expect(check.interval == .seconds(10) && check.timeout == .seconds(2))
        #expect(
            check.successBeforePassing == 2 && check.failuresBeforeWarning == 1 && check.failuresBeforeCritical == 3
        )
        #expect(upstream.weights.passing == 10 && upstream.weights.warning == 1)
        let ejection = try #require(upstream.ejection)
        #expect(ejection.interval == .seconds(5) && ejection.consecutiveFailures == 3 && ejection.requestsMin == 10)
        #expect(
            ejection.failureMarginPercent == 10 && ejection.latencyFactor == nil && ejection.ejectedMaxPercent == 30
        )
        #expect(ejection.time == .seconds(10) && ejection.timeMax == .seconds(60))
        let breaker = try #require(upstream.breaker)
        #expect(breaker.failures == 3 && breaker.probes == 2)
        #expect(breaker.open == .milliseconds(500) && breaker.openMax == .seconds(10))
    }

    @Test func `what protects can be switched off`() throws {
        let upstream = try GatewayConfiguration.upstream("endpoints: [http://a], ejection: off, breaker: false")
        #expect(upstream.ejection == nil && upstream.breaker == nil)
    }

    @Test func `a check may be a connection`() throws {
        #expect(try GatewayConfiguration.upstream("endpoints: [http://a], check: {tcp: yes}").check?.kind == .tcp)
    }

    @Test(arguments: [("2.5", 2.5), ("3", 3), ("1.1", 1.1), ("100", 100), ("1.125", 1.125)])
    func `a factor has at most three decimals`(text: String, factor: Double) throws {
        let upstream = try GatewayConfiguration.upstream("endpoints: [http://a], ejection: {latency-factor: \(text)}")
        #expect(upstream.ejection?.latencyFactor == factor)
    }

    @Test func `the variable's endpoints are those of the upstream called default`() throws {
        let configuration = try GatewayConfiguration(
            "upstreams: {default: {discover: 'dns://a:80', balance: round-robin}}",
            ["WEIR_UPSTREAM": "http://b,http://c"]
        )
        let upstream = try #require(configuration.upstream("default"))
        #expect(upstream.endpoints.map(\.description) == ["http://b", "http://c"])
        #expect(upstream.discover == nil && upstream.balance == .roundRobin)
        #expect(configuration.routes.map(\.action) == [.forward([WeightedUpstream(upstream: "default", weight: 1)])])
    }

    @Test func `without a file there is what the variables say`() throws {
        let none = try GatewayConfiguration(environment: [:], document: nil)
        #expect(none.upstreams.isEmpty && none.routes.isEmpty && none.settings == Settings())
        let one = try GatewayConfiguration(environment: ["WEIR_UPSTREAM": "http://b"], document: nil)
        #expect(one.upstreams.map(\.name) == ["default"] && one.routes.count == 1)
        #expect(one.routes[0].match.paths == ["/*path"])
    }
}
