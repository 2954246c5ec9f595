// SPDX-License-Identifier: Apache-2.0
// The text of a scrape: byte for byte, its escapes, and promtool's opinion.

import Testing
import WeirMetrics
import WeirTestSupport

@Suite struct PrometheusTextTests {
    @Test func `one request's histogram is written so`() {
        let shard = MetricsShard()
        shard.durations.record(route: 0, method: 2, status: 201, nanoseconds: 3_000_001)
        let text = Exposition(shards: [shard]).text
        let rest = text.suffix(from: "# HELP http_server_request_duration_seconds")
        let histogram = rest.dropLast(rest.suffix(from: "# HELP weir_").count)
        let labels = #"http_request_method="POST",http_route="/0",http_response_status_code="201""#
        let name = "http_server_request_duration_seconds"
        let buckets = DurationHistogramsTests.bounds.enumerated().map { index, bound in
            "\(name)_bucket{\(labels),le=\"\(bound.label)\"} \(index < 2 ? 0 : 1)\n"
        }
        #expect(
            histogram == """
                # HELP http_server_request_duration_seconds Time from a request's whole head to the end of its response.
                # TYPE http_server_request_duration_seconds histogram
                \(buckets.joined())\(name)_sum{\(labels)} 0.003000001
                \(name)_count{\(labels)} 1

                """
        )
    }

    @Test func `a family has one head, and its members follow`() {
        let text = Exposition(shards: [MetricsShard()]).text
        #expect(
            text.contains(
                """
                # HELP weir_timeouts_total Timeouts that ran out, by what was waited for; a deadline is also in weir_rejected_total.
                # TYPE weir_timeouts_total counter
                weir_timeouts_total{kind="head"} 0
                weir_timeouts_total{kind="body"} 0
                weir_timeouts_total{kind="keepalive"} 0
                weir_timeouts_total{kind="write"} 0
                weir_timeouts_total{kind="deadline"} 0
                weir_timeouts_total{kind="tunnel"} 0
                weir_timeouts_total{kind="handshake"} 0
                # HELP weir_tls_handshakes_total
                """
            )
        )
        let heads = text.split(separator: "\n").filter { $0.hasPrefix("# TYPE") }
        #expect(Set(heads).count == heads.count)
    }

    @Test func `labels and help are escaped`() {
        var writer = PrometheusText()
        writer.write(samples: [
            MetricSample(
                "weir_x",
                "a \"b\" \\ c\nd",
                kind: .gauge,
                labels: [MetricLabel("path", "/a\"b\\c\nd/é")],
                value: 1.5
            )
        ])
        let text = String(decoding: writer.bytes, as: UTF8.self)
        #expect(
            text == #"""
                # HELP weir_x a "b" \\ c\nd
                # TYPE weir_x gauge
                weir_x{path="/a\"b\\c\nd/é"} 1.5

                """#
        )
    }

    @Test(arguments: [
        (0.0, "0"), (3, "3"), (-2, "-2"), (1.25, "1.25"), (1_700_000_000.5, "1700000000.5"), (.infinity, "+Inf"),
        (-.infinity, "-Inf"), (.nan, "NaN"), (1e300, "1e+300"),
    ])
    func `numbers are written as Prometheus reads them`(value: Double, text: String) {
        var writer = PrometheusText()
        writer.write(samples: [MetricSample("weir_x", "x", kind: .gauge, value: value)])
        #expect(String(decoding: writer.bytes, as: UTF8.self).hasSuffix("\nweir_x \(text)\n"))
    }

    @Test func `two scrapes of the same numbers are equal`() {
        let shards = (0..<3).map { _ in MetricsShard() }
        for route in 0..<50 {
            shards[route % 3].durations.record(route: Int32(route), method: 0, status: 200, nanoseconds: 1)
        }
        #expect(Exposition(shards: shards).text == Exposition(shards: shards.reversed()).text)
    }

    @Test(.needs(Promtool.isInstalled, "promtool, which scripts/setup test installs"))
    func `promtool finds nothing to say`() throws {
        let shard = MetricsShard(cellsMax: 3)
        for route in -1..<3 {
            shard.durations.record(route: Int32(route), method: 0, status: 200, nanoseconds: 1)
            shard.stalls.increment(route: Int32(route))
        }
        #expect(try Promtool.findingsByteCount(Exposition(shards: [shard]).text) == 0)
    }
}

extension String {
    /// From the first occurrence of `text` to the end.
    func suffix(from text: String) -> String {
        var rest = self[...]
        while !rest.isEmpty && !rest.hasPrefix(text) { rest = rest.dropFirst() }
        return String(rest)
    }
}
