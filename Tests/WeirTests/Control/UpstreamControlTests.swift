// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir
import WeirEventLoop
import WeirUpstream

@Suite struct UpstreamControlTests {
    private static func upstream(_ name: String = "orders", _ urls: String...) throws -> Upstream {
        Upstream(name: name, endpoints: try urls.map { try EndpointURL(parsing: $0) }, policy: UpstreamPolicy())
    }

    private static func urls(_ upstream: Upstream) -> [String] { upstream.endpoints.map(\.url.description) }

    @Test func `what a source lists becomes the endpoints`() throws {
        let test = try ControlInHand()
        let upstream = try Self.upstream()
        test.control.follow([FollowedUpstream(upstream, discover: .addresses(name: "a.test", port: 80))])
        #expect(test.names.running == ["a.test"])
        #expect(upstream.report.source?.place == "dns://a.test:80")
        try test.names.watches[0].found("http://10.0.0.1", "http://10.0.0.2;weight=3")
        #expect(Self.urls(upstream) == ["http://10.0.0.1", "http://10.0.0.2;weight=3"])
        test.names.watches[0].feed.failed("no answer")
        #expect(
            upstream.report.source?.problem == "upstream orders: discovery by dns failed: no answer; 2 are kept"
        )
        try test.names.watches[0].found("http://10.0.0.2;weight=3")
        #expect(upstream.report.source?.problem == nil)
        #expect(Self.urls(upstream) == ["http://10.0.0.2;weight=3"])
    }

    @Test func `a reload that says the same leaves a source and its list alone`() throws {
        let test = try ControlInHand()
        let upstream = try Self.upstream()
        let followed = FollowedUpstream(upstream, discover: .addresses(name: "a.test", port: 80))
        test.control.follow([followed])
        try test.names.watches[0].found("http://10.0.0.1")
        let endpoint = upstream.endpoints[0]
        test.control.follow([followed])
        #expect(test.names.watches.count == 1)
        #expect(test.names.running == ["a.test"])
        #expect(upstream.endpoints[0] === endpoint)
    }

    @Test func `another source keeps what the one before listed, until it lists something`() throws {
        let test = try ControlInHand()
        let upstream = try Self.upstream()
        test.control.follow([FollowedUpstream(upstream, discover: .addresses(name: "a.test", port: 80))])
        try test.names.watches[0].found("http://10.0.0.1")
        test.control.follow([FollowedUpstream(upstream, discover: .addresses(name: "b.test", port: 80))])
        #expect(test.names.running == ["b.test"])
        #expect(Self.urls(upstream) == ["http://10.0.0.1"])
        try test.names.watches[1].found("http://10.0.0.9")
        #expect(Self.urls(upstream) == ["http://10.0.0.9"])
    }

    @Test func `endpoints that are given end a source`() throws {
        let test = try ControlInHand()
        let upstream = try Self.upstream()
        test.control.follow([FollowedUpstream(upstream, discover: .addresses(name: "a.test", port: 80))])
        try test.names.watches[0].found("http://10.0.0.1")
        test.control.follow([FollowedUpstream(upstream, endpoints: [try EndpointURL(parsing: "http://10.0.0.7")])])
        #expect(test.names.running == [])
        #expect(Self.urls(upstream) == ["http://10.0.0.7"])
        #expect(upstream.report.source == nil)
    }

    @Test func `of two reloads in quick succession the last one counts`() throws {
        let test = try ControlInHand()
        let upstream = try Self.upstream()
        test.control.follow([FollowedUpstream(upstream, discover: .addresses(name: "a.test", port: 80))])
        try test.names.watches[0].found("http://10.0.0.1")
        // Both are in force before this loop is told of the first.
        let plans = try ["http://10.0.0.7", "http://10.0.0.8"].map {
            FollowedUpstream(upstream, endpoints: [try EndpointURL(parsing: $0)])
        }
        for plan in plans {
            // A word of the former source may still be on its way.
            try test.names.watches[0].found("http://10.0.0.2")
            test.control.follow([plan])
            #expect(Self.urls(upstream) == ["http://10.0.0.8"])
        }
    }

    @Test func `an upstream that is gone is left alone`() throws {
        let test = try ControlInHand()
        let (one, two) = (try Self.upstream("one"), try Self.upstream("two", "http://c.test"))
        let first = FollowedUpstream(one, discover: .addresses(name: "a.test", port: 80))
        test.control.follow([first, FollowedUpstream(two)])
        #expect(Set(test.names.running) == ["a.test", "c.test"])
        test.control.follow([first])
        #expect(test.names.running == ["a.test"])
        test.control.follow([])
        #expect(test.names.running == [])
        test.control.stop()
        #expect(test.names.isStopped)
    }

    @Test func `an endpoint that is a name has the addresses of its answer, and is one`() throws {
        let test = try ControlInHand()
        let upstream = try Self.upstream("orders", "http://a.test:8080", "http://10.0.0.1")
        test.control.follow([FollowedUpstream(upstream)])
        #expect(test.names.running == ["a.test"])
        try test.names.watches[0].found("http://10.0.0.2:8080", "http://10.0.0.3:8080")
        #expect(upstream.endpoints.count == 2)
        #expect(upstream.endpoints[0].knownAddresses.map(\.description) == ["10.0.0.2:8080", "10.0.0.3:8080"])
        test.names.watches[0].feed.failed("no answer")
        #expect(upstream.endpoints[0].knownAddresses.count == 2)
        upstream.begin(upstream.draft([try EndpointURL(parsing: "http://10.0.0.1")], policy: upstream.policy))
        test.control.follow([FollowedUpstream(upstream)])
        #expect(test.names.running == [])
    }

    @Test func `a name that a source lists is looked up too`() throws {
        let test = try ControlInHand()
        let upstream = try Self.upstream()
        test.control.follow([FollowedUpstream(upstream, discover: .addresses(name: "a.test", port: 80))])
        try test.names.watches[0].found("http://b.test")
        #expect(test.names.running == ["a.test", "b.test"])
    }

    @Test func `services need a source of names that knows them`() throws {
        let test = try ControlInHand()
        let upstream = try Self.upstream()
        test.control.follow([FollowedUpstream(upstream, discover: .services(name: "_http._tcp.a.test"))])
        #expect(upstream.report.source?.problem?.contains("import WeirDNS") == true)
    }

    @Test func `a check says how endpoints are, until there is none`() throws {
        let test = try ControlInHand()
        // Nobody listens at port 1.
        let upstream = try Self.upstream("orders", "http://127.0.0.1:1")
        let check = try HealthCheckConfiguration(yaml: "{tcp: true, interval: 1s, timeout: 1s}")
        let followed = FollowedUpstream(upstream, check: check)
        test.control.follow([followed])
        #expect(upstream.endpoints[0].health == .unknown)
        test.turn(until: "the check has run") { upstream.endpoints[0].health == .critical }
        #expect(upstream.endpoints[0].condition.checkOutput == "TCP connect 127.0.0.1:1: no connection")
        let count = upstream.report[.critical]
        #expect(count > 0)
        test.control.follow([followed])
        #expect(upstream.endpoints[0].health == .critical)
        test.turn(until: "it runs on") { upstream.report[.critical] > count }
        test.control.follow([FollowedUpstream(upstream)])
        #expect(upstream.endpoints[0].health == .unknown)
        #expect(upstream.endpoints[0].condition.checkOutput == "")
    }

    @Test func `thresholds of the file are those of the check`() throws {
        let test = try ControlInHand()
        let upstream = try Self.upstream("orders", "http://127.0.0.1:1")
        let check = try HealthCheckConfiguration(
            yaml: "{tcp: true, interval: 1s, failures-before-critical: 3, failures-before-warning: 2}"
        )
        test.control.follow([FollowedUpstream(upstream, check: check)])
        // Consul's counter of failures begins at its threshold: the first result decides.
        test.turn(until: "the check has run") { upstream.report[.critical] == 1 }
        #expect(upstream.endpoints[0].health == .critical)
    }

    @Test func `no failures before warning is as good as nothing, as in Consul`() throws {
        let endpoint = try Self.upstream("orders", "http://127.0.0.1:1").endpoints[0]
        func thresholds(_ field: String) throws -> CheckCounter.Thresholds? {
            let check = try HealthCheckConfiguration(
                yaml: "{tcp: true, interval: 1s, failures-before-critical: 3\(field)}"
            )
            return check.definition(for: endpoint)?.thresholds
        }
        let none = CheckCounter.Thresholds(failuresBeforeCritical: 3)
        #expect(try thresholds("") == none)
        #expect(try thresholds(", failures-before-warning: 0") == none)
        #expect(try thresholds(", failures-before-warning: 1") != none)
    }
}
