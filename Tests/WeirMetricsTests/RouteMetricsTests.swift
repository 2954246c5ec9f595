// SPDX-License-Identifier: Apache-2.0
// What is counted by route and as a whole: both say the same, in every scrape.

import Testing
import WeirMetrics

@Suite struct RouteMetricsTests {
    private static func sum(_ exposition: Exposition, _ prefix: String) -> Int {
        exposition.values(prefix).reduce(0) { $0 + (Int($1.value) ?? 0) }
    }

    @Test func `rejections are counted by reason, and by route and reason`() {
        let shards = (0..<2).map { _ in MetricsShard() }
        shards[0].recordRejection(.queueFull, route: 0)
        shards[1].recordRejection(.queueFull, route: 0)
        shards[1].recordRejection(.queueFull, route: 1)
        shards[1].recordRejection(.memory, route: -1)
        let exposition = Exposition(shards: shards)
        let names = RejectionReason.allCases.map(\.label)
        #expect(
            exposition.values("weir_rejected_total").map(\.series)
                == names.map { "weir_rejected_total{reason=\"\($0)\"}" }
        )
        #expect(exposition.values(#"weir_rejected_total{reason="queue_full"}"#).map(\.value) == ["3"])
        #expect(exposition.values(#"weir_rejected_total{reason="memory"}"#).map(\.value) == ["1"])
        let routes = exposition.values("weir_route_rejected_total").map { "\($0.series) \($0.value)" }
        #expect(
            routes == [
                #"weir_route_rejected_total{reason="memory"} 1"#,
                #"weir_route_rejected_total{http_route="/0",reason="queue_full"} 2"#,
                #"weir_route_rejected_total{http_route="/1",reason="queue_full"} 1"#,
            ]
        )
        #expect(shards[1].rejections.count(.queueFull) == 2)
    }

    @Test func `no rejection is lost where routes do not fit, and none changes its reason`() {
        let shard = MetricsShard(cellsMax: 16)
        for route in 0..<100 {
            shard.recordRejection(.queueFull, route: Int32(route))
            shard.recordRejection(.rateLimited, route: Int32(route))
        }
        let exposition = Exposition(shards: [shard])
        #expect(exposition.values(#"weir_rejected_total{reason="queue_full"}"#).map(\.value) == ["100"])
        #expect(exposition.values(#"weir_rejected_total{reason="rate_limited"}"#).map(\.value) == ["100"])
        #expect(Self.sum(exposition, "weir_route_rejected_total") == 200)
    }

    @Test func `streams begin and end on their route`() {
        let shards = (0..<2).map { _ in MetricsShard() }
        for _ in 0..<3 { shards[0].countStream(route: 0, begins: true) }
        shards[1].countStream(route: 1, begins: true)
        shards[0].countStream(route: 0, begins: false)
        #expect(Exposition(shards: shards).values("weir_streams_active").map(\.value) == ["3"])
        #expect(Exposition(shards: shards).values("weir_route_streams_active").map(\.value) == ["2", "1"])
        #expect(shards[0].streams.total == 2)
        for _ in 0..<2 { shards[0].countStream(route: 0, begins: false) }
        #expect(Exposition(shards: shards).values("weir_route_streams_active").map(\.value) == ["0", "1"])
    }

    @Test func `waits of the routes are the waits of all`() {
        let shard = MetricsShard(cellsMax: 8)
        for route in 0..<20 { shard.recordWait(route: Int32(route), nanoseconds: UInt64(route) * 1_000_000) }
        let exposition = Exposition(shards: [shard])
        #expect(exposition.values("weir_queue_wait_seconds_count").map(\.value) == ["20"])
        #expect(exposition.values("weir_queue_wait_seconds_sum").map(\.value) == ["0.190000000"])
        #expect(Self.sum(exposition, "weir_route_queue_wait_seconds_count") == 20)
        let overflow = #"weir_route_queue_wait_seconds_count{otel_metric_overflow="true"}"#
        #expect(exposition.values(overflow).map(\.value) == ["13"])
    }

    @Test func `with nothing counted the whole is there, and no route`() {
        let exposition = Exposition(shards: [MetricsShard()])
        #expect(exposition.values("weir_streams_active").map(\.value) == ["0"])
        #expect(exposition.values("weir_queue_wait_seconds_count").map(\.value) == ["0"])
        #expect(exposition.values("weir_route_").isEmpty)
    }
}
