// SPDX-License-Identifier: Apache-2.0
// What /upstreams and /metrics say of endpoints.

import Testing
import Weir
import WeirEventLoop
import WeirMetrics
import WeirUpstream

@Suite struct UpstreamsPageTests {
    /// Two endpoints that were used, and one whose name was not found yet.
    private static func upstreams() throws -> [Upstream] {
        let first = Upstream(
            name: "default",
            endpoints: try EndpointURL.list("http://127.0.0.1:3000;weight=3,unix:/run/a.sock"),
            policy: UpstreamPolicy()
        )
        first.endpoints[0].noteOpened()
        first.endpoints[0].noteRequest()
        first.endpoints[0].noteRequest()
        first.endpoints[0].noteRequestEnded()
        first.endpoints[1].note(.connect)
        first.endpoints[1].note(.timeout)
        first.endpoints[1].note(.timeout)
        let second = Upstream(
            name: "orders",
            endpoints: try EndpointURL.list("http://orders.shop.svc"),
            policy: UpstreamPolicy()
        )
        return [first, second]
    }

    @Test func `the page shows each endpoint with its counts`() throws {
        let none =
            #""failures":{"connect":0,"connect_timeout":0,"reset":0,"closed":0,"malformed":0,"timeout":0,"#
            + #""attempt_timeout":0,"tls":0}"#
        let some =
            #""failures":{"connect":1,"connect_timeout":0,"reset":0,"closed":0,"malformed":0,"timeout":2,"#
            + #""attempt_timeout":0,"tls":0}"#
        let idle = #""connections":0,"connections_opened":0,"requests_executing":0,"requests":0"#
        let used = #""connections":0,"connections_opened":1,"requests_executing":1,"requests":2"#
        let new = #""health":"unknown","check":"""#
        let first =
            #"{"url":"http://127.0.0.1:3000","weight":3,"addresses":["127.0.0.1:3000"],\#(new),"has_answered":true"#
        let second =
            #"{"url":"unix:/run/a.sock","weight":1,"addresses":["unix:/run/a.sock"],\#(new),"has_answered":false"#
        let third = #"{"url":"http://orders.shop.svc","weight":1,"addresses":[],\#(new),"has_answered":false"#
        let expected =
            #"{"upstreams":[{"name":"default","endpoints":["#
            + "\(first),\(used),\(none)},\(second),\(idle),\(some)}]}"
            + #",{"name":"orders","endpoints":["# + "\(third),\(idle),\(none)}]}]}\n"
        #expect(String(decoding: UpstreamsPage.json(try Self.upstreams()), as: UTF8.self) == expected)
    }

    @Test func `a source, what ails it, and a check's output are on the page`() throws {
        let upstream = Upstream(name: "orders", endpoints: [], policy: UpstreamPolicy())
        let feed = DiscoveryFeed(upstream: "orders", kind: .file) { _ in }
        upstream.report.setSource(UpstreamReport.Source(place: "file:///run/orders", counts: feed.counts))
        let source = #"{"upstreams":[{"name":"orders","source":{"url":"file:///run/orders","endpoints":0,"problem":"#
        #expect(
            String(decoding: UpstreamsPage.json([upstream]), as: UTF8.self) == source + "null},\"endpoints\":[]}]}\n"
        )
        upstream.report.noteSource(problem: "not \"there\"")
        upstream.replace([DiscoveredEndpoint(try EndpointURL(parsing: "http://10.0.0.1"), health: .warning)], from: nil)
        upstream.endpoints[0].condition.note(.passing, output: "HTTP 200\n")
        let page = String(decoding: UpstreamsPage.json([upstream]), as: UTF8.self)
        #expect(page.hasPrefix(source + #""not \"there\""},"endpoints":[{"url":"http://10.0.0.1""#), "\(page)")
        #expect(page.contains(#""health":"warning","check":"HTTP 200\n","#), "\(page)")
    }

    @Test func `metrics say what each endpoint is, and how checks went`() throws {
        let upstreams = try Self.upstreams()
        upstreams[0].endpoints[0].condition.note(.critical, output: "")
        upstreams[0].report.note(.critical)
        upstreams[0].report.note(.critical)
        var text = PrometheusText()
        text.write(samples: HealthSamples.all(of: upstreams))
        let lines = String(decoding: text.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        let first = #"upstream="default",endpoint="http://127.0.0.1:3000""#
        for line in [
            "weir_upstream_endpoint_health{\(first),status=\"critical\"} 1",
            "weir_upstream_endpoint_health{\(first),status=\"unknown\"} 0",
            #"weir_upstream_checks_total{upstream="default",status="critical"} 2"#,
            #"weir_upstream_checks_total{upstream="orders",status="passing"} 0"#,
        ] {
            #expect(lines.contains(line), "\(line)")
        }
    }

    @Test func `the page of no upstreams is an empty list`() {
        #expect(UpstreamsPage.json([]) == Array("{\"upstreams\":[]}\n".utf8))
        #expect(EndpointSamples.all(of: []).isEmpty)
    }

    @Test func `metrics have each endpoint's counts, by name and not by weight`() throws {
        var text = PrometheusText()
        text.write(samples: EndpointSamples.all(of: try Self.upstreams()))
        let lines = String(decoding: text.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        let first = #"upstream="default",endpoint="http://127.0.0.1:3000""#
        let second = #"upstream="default",endpoint="unix:/run/a.sock""#
        for line in [
            "weir_upstream_connections{\(first)} 0",
            "weir_upstream_connections_opened_total{\(first)} 1",
            "weir_upstream_requests_total{\(first)} 2",
            "weir_upstream_requests_executing{\(first)} 1",
            "weir_upstream_failures_total{\(first),reason=\"connect\"} 0",
            "weir_upstream_failures_total{\(second),reason=\"connect\"} 1",
            "weir_upstream_failures_total{\(second),reason=\"timeout\"} 2",
            #"weir_upstream_requests_total{upstream="orders",endpoint="http://orders.shop.svc"} 0"#,
        ] {
            #expect(lines.contains(line), "\(line)")
        }
        // A family that is begun twice is refused by Prometheus.
        let families = lines.filter { $0.hasPrefix("# TYPE") }
        #expect(families.count == 10)
        #expect(Set(families).count == 10)
    }
}
