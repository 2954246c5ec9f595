// SPDX-License-Identifier: Apache-2.0
// The numbers of discovery for /metrics. They live with the feeds, one for each upstream.

package import WeirMetrics

/// Reads the feeds' counts, family by family as Prometheus text wants them. On any thread.
package enum DiscoverySamples {
    package static func all(of feeds: [DiscoveryCounts]) -> [MetricSample] {
        let updates = feeds.flatMap { feed in
            DiscoveryOutcome.allCases.map { outcome in
                MetricSample(
                    "weir_discovery_updates_total",
                    "Times that a source of endpoints was read, by what came of it.",
                    kind: .counter,
                    labels: labels(feed) + [MetricLabel("outcome", outcome.rawValue)],
                    value: Double(feed[outcome])
                )
            }
        }
        let endpoints = feeds.map { feed in
            MetricSample(
                "weir_discovery_endpoints",
                "Endpoints of an upstream in the last good list of its source.",
                kind: .gauge,
                labels: labels(feed),
                value: Double(feed.endpointCount)
            )
        }
        return updates + endpoints
    }

    private static func labels(_ feed: DiscoveryCounts) -> [MetricLabel] {
        [MetricLabel("upstream", feed.upstream), MetricLabel("provider", feed.kind.rawValue)]
    }
}
