// SPDX-License-Identifier: Apache-2.0
// Duration histograms against a slow, obvious model, and what happens when a table is full.

import Testing
import WeirMetrics
import WeirTestSupport

@Suite struct DurationHistogramsTests {
    static let bounds: [(label: String, nanoseconds: UInt64)] = [
        ("0.001", 1_000_000), ("0.0025", 2_500_000), ("0.005", 5_000_000), ("0.01", 10_000_000),
        ("0.025", 25_000_000), ("0.05", 50_000_000), ("0.075", 75_000_000), ("0.1", 100_000_000),
        ("0.25", 250_000_000), ("0.5", 500_000_000), ("0.75", 750_000_000), ("1", 1_000_000_000),
        ("2.5", 2_500_000_000), ("5", 5_000_000_000), ("7.5", 7_500_000_000), ("10", 10_000_000_000),
        ("+Inf", .max),
    ]

    @Test(arguments: bounds)
    func `a bound belongs to its bucket and the next nanosecond does not`(label: String, nanoseconds: UInt64) {
        let shard = MetricsShard()
        shard.durations.record(route: 0, method: 0, status: 200, nanoseconds: nanoseconds)
        if label != "+Inf" {
            shard.durations.record(route: 0, method: 0, status: 200, nanoseconds: nanoseconds + 1)
        }
        let series = Exposition(shards: [shard]).values("http_server_request_duration_seconds_bucket")
        #expect(series.first { $0.series.contains("le=\"\(label)\"") }?.value == "1")
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func `agrees with a slow model`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var model: [String: [UInt64]] = [:]
        let shards = [MetricsShard(), MetricsShard(), MetricsShard()]
        for _ in 0..<5000 {
            let route = Int32.random(in: -1...40, using: &random)
            let method = UInt8.random(in: 0...4, using: &random)
            let status = UInt16([200, 204, 404, 500, 503].randomElement(using: &random) ?? 0)
            let nanoseconds = UInt64(1) << UInt64.random(in: 0...36, using: &random)
            shards.randomElement(using: &random)?.durations
                .record(route: route, method: method, status: status, nanoseconds: nanoseconds)
            let name = ["GET", "HEAD", "POST", "_OTHER", "_OTHER"][Int(method)]
            let routeLabel = route < 0 ? "" : "http_route=\"/\(route)\","
            let labels = "http_request_method=\"\(name)\",\(routeLabel)http_response_status_code=\"\(status)\""
            model[labels, default: []].append(nanoseconds)
        }
        let exposition = Exposition(shards: shards)
        var actual: [String: Int] = [:]
        for (series, value) in exposition.values("http_server_request_duration_seconds_bucket") {
            #expect(actual[series] == nil, "a series may stand once only")
            actual[series] = Int(value)
        }
        var expected: [String: Int] = [:]
        for (labels, values) in model {
            for bound in Self.bounds {
                let key = labels + ",le=\"\(bound.label)\""
                expected["http_server_request_duration_seconds_bucket{\(key)}"] =
                    values.count { $0 <= bound.nanoseconds }
            }
        }
        #expect(actual == expected, "seed \(seed)")
        #expect(exposition.requestCount == 5000)
    }

    @Test func `what does not fit is counted in the overflow series`() {
        let shard = MetricsShard(cellsMax: 4)
        for route in 0..<10 { shard.durations.record(route: Int32(route), method: 0, status: 200, nanoseconds: 1) }
        // One cell is the overflow's; those that fit first keep counting.
        shard.durations.record(route: 2, method: 0, status: 200, nanoseconds: 1)
        let counts = Exposition(shards: [shard]).values("http_server_request_duration_seconds_count")
        #expect(counts.map(\.value) == ["1", "1", "2", "7"])
        #expect(counts.last?.series == #"http_server_request_duration_seconds_count{otel_metric_overflow="true"}"#)
    }

    @Test func `a full table of the default size loses nothing`() {
        let shard = MetricsShard()
        for round in 0..<3 {
            for route in 0..<5000 {
                shard.durations.record(route: Int32(route), method: UInt8(round % 2), status: 200, nanoseconds: 1)
            }
        }
        #expect(Exposition(shards: [shard]).requestCount == 15_000)
    }

    @Test func `tags are counted by route, and what is none is one series`() {
        let shards = [MetricsShard(), MetricsShard()]
        for shard in shards {
            shard.recordTag(route: 7, tag: 3)
            shard.recordTag(route: 7, tag: TagCounters.none)
            shard.recordTag(route: 7, tag: TagCounters.none)
        }
        shards[1].recordTag(route: 2, tag: 3)
        let values = Exposition(shards: shards).values("weir_tagged_requests_total")
        let labels = [#"{http_route="/2",tag="/3"}"#, #"{http_route="/7",tag="/3"}"#, #"{http_route="/7",tag="none"}"#]
        #expect(values.map(\.series) == labels.map { "weir_tagged_requests_total\($0)" })
        #expect(values.map(\.value) == ["1", "2", "4"])
    }

    @Test func `stalls are counted by route`() {
        let shards = [MetricsShard(), MetricsShard()]
        shards[0].stalls.increment(route: 7)
        shards[1].stalls.increment(route: 7)
        shards[1].stalls.increment(route: 3)
        let values = Exposition(shards: shards).values("weir_handler_stalls_total")
        #expect(values.map(\.series) == ["/3", "/7"].map { "weir_handler_stalls_total{http_route=\"\($0)\"}" })
        #expect(values.map(\.value) == ["1", "2"])
    }
}
