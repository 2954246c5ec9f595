// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirMetrics
import WeirUpstream

@Suite struct DiscoveryFeedTests {
    private func endpoints(_ count: Int) throws -> [DiscoveredEndpoint] {
        try (0..<count).map { try DiscoveredEndpoint("http://10.0.0.\($0)") }
    }

    @Test func `a list is told when it has changed, in its weights and health too`() throws {
        let test = try DiscoveryInHand(.consul)
        var list = try endpoints(2)
        test.feed.found(list)
        test.feed.found(list)
        #expect(test.news == [.endpoints(list)])
        list[1].health = .warning
        test.feed.found(list)
        #expect(test.news.last == .endpoints(list))
        #expect(test.feed.counts[.changed] == 2)
        #expect(test.feed.counts[.unchanged] == 1)
    }

    @Test func `a source that fails takes nothing away, and is reported once for each reason`() throws {
        let test = try DiscoveryInHand(.dns)
        test.feed.failed("no server answers")
        #expect(
            test.news == [.failing("upstream orders: discovery by dns failed: no server answers; none is known yet")]
        )
        test.feed.found(try endpoints(3))
        test.feed.failed("no server answers")
        test.feed.failed("no server answers")
        test.feed.failed("the name does not exist")
        test.feed.found(try endpoints(3))
        #expect(
            test.news.dropFirst(2) == [
                .recovered("upstream orders: discovery by dns lists 3 endpoints again"),
                .failing("upstream orders: discovery by dns failed: no server answers; 3 are kept"),
                .failing("upstream orders: discovery by dns failed: the name does not exist; 3 are kept"),
                .recovered("upstream orders: discovery by dns lists 3 endpoints again"),
            ]
        )
        #expect(test.feed.counts[.failed] == 4)
        #expect(test.feed.counts.endpointCount == 3)
    }

    @Test func `a source that suddenly lists nothing is not believed`() throws {
        let test = try DiscoveryInHand(.file)
        test.feed.found(try endpoints(1))
        test.feed.found([])
        #expect(test.listed.count == 1)
        #expect(test.failure == "upstream orders: discovery by file lists no endpoint; 1 are kept")
        #expect(test.feed.counts[.empty] == 1)
    }

    @Test func `of too many endpoints the first are taken, and it is said`() throws {
        let test = try DiscoveryInHand(.dns, endpointsMax: 2)
        test.feed.found(try endpoints(4))
        #expect(test.feed.endpoints == (try endpoints(2)))
        #expect(
            test.failure == "upstream orders: discovery by dns lists 4 endpoints, of which the first 2 are used"
        )
        test.feed.found(try endpoints(2))
        #expect(test.news.last == .recovered("upstream orders: discovery by dns lists 2 endpoints again"))
        #expect(test.feed.counts[.cut] == 1)
    }

    @Test func `what is listed twice counts once, as it was listed first`() throws {
        let test = try DiscoveryInHand(.dns)
        test.feed.found(["http://a;weight=2", "http://b", "http://a:80;weight=7"].map { try! DiscoveredEndpoint($0) })
        #expect(test.listed == ["http://a;weight=2", "http://b"])
    }

    @Test func `each feed is counted by its provider and by what came of reading`() throws {
        let tests = [try DiscoveryInHand(.dns), try DiscoveryInHand(.file)]
        tests[0].feed.found(try endpoints(2))
        tests[1].feed.failed("gone")
        let samples = DiscoverySamples.all(of: tests.map(\.feed.counts))
        #expect(samples.count == 2 * 5 + 2)
        func value(_ name: String, _ labels: (String, String)...) -> Double? {
            let labels = [MetricLabel("upstream", "orders")] + labels.map { MetricLabel($0, $1) }
            return samples.first { $0.name == name && $0.labels == labels }?.value
        }
        #expect(value("weir_discovery_updates_total", ("provider", "dns"), ("outcome", "changed")) == 1)
        #expect(value("weir_discovery_updates_total", ("provider", "dns"), ("outcome", "failed")) == 0)
        #expect(value("weir_discovery_updates_total", ("provider", "file"), ("outcome", "failed")) == 1)
        #expect(value("weir_discovery_endpoints", ("provider", "dns")) == 2)
        #expect(value("weir_discovery_endpoints", ("provider", "file")) == 0)
    }
}
