// SPDX-License-Identifier: Apache-2.0
// The numbers of endpoints for /metrics. They live with the endpoints, because connections of all loops share them.

package import WeirMetrics
package import WeirUpstream

/// Reads the endpoints' counts, family by family as Prometheus text wants them.
package enum EndpointSamples {
    package static func all(of upstreams: [Upstream]) -> [MetricSample] {
        let endpoints = upstreams.flatMap { upstream in
            upstream.endpoints.map { endpoint in
                (endpoint, [MetricLabel("upstream", upstream.name), MetricLabel("endpoint", endpoint.name)])
            }
        }
        func family(
            _ name: String,
            _ help: String,
            _ kind: MetricSample.Kind,
            _ value: (Endpoint) -> Double
        ) -> [MetricSample] {
            endpoints.map { MetricSample(name, help, kind: kind, labels: $1, value: value($0)) }
        }
        let failures = endpoints.flatMap { endpoint, labels in
            endpoint.failureCounts.map { failure in
                MetricSample(
                    "weir_upstream_failures_total",
                    "Requests and connections that an endpoint failed, by reason.",
                    kind: .counter,
                    labels: labels + [MetricLabel("reason", "\(failure.label)")],
                    value: Double(failure.count)
                )
            }
        }
        return family("weir_upstream_connections", "Connections to an endpoint that are open.", .gauge) {
            Double($0.connectionCount)
        }
            + family("weir_upstream_connections_opened_total", "Connections to an endpoint that stood.", .counter) {
                Double($0.openedCount)
            }
            + family("weir_upstream_requests_total", "Requests that an endpoint was sent.", .counter) {
                Double($0.requestCount)
            }
            + family("weir_upstream_requests_executing", "Requests that an endpoint has not answered yet.", .gauge) {
                Double($0.requestsExecuting)
            } + failures + standing(of: upstreams)
    }

    /// What balancing makes of the endpoints, and what it comes from.
    private static func standing(of upstreams: [Upstream]) -> [MetricSample] {
        let sets = upstreams.map { ($0, $0.endpointSet, [MetricLabel("upstream", $0.name)]) }
        let entries = sets.flatMap { _, set, labels in
            set.table.entries.map { ($0, labels + [MetricLabel("endpoint", $0.endpoint.name)]) }
        }
        func family(_ name: String, _ help: String, _ value: (BalancerTable.Entry) -> Double) -> [MetricSample] {
            entries.map { MetricSample(name, help, kind: .gauge, labels: $1, value: value($0)) }
        }
        let ejections = sets.flatMap { upstream, _, labels in
            let counts = upstream.ejections
            return EjectionCause.labels.map { cause in
                MetricSample(
                    "weir_upstream_ejections_total",
                    "Endpoints that were taken out because they did worse than the others, by cause.",
                    kind: .counter,
                    labels: labels + [MetricLabel("cause", cause)],
                    value: Double(counts.byCause[cause] ?? 0)
                )
            }
        }
        let mirrored = sets.filter { $0.0.report.mirrored.isUsed }.flatMap { upstream, _, labels in
            MirrorResult.allCases.map { result in
                MetricSample(
                    "weir_mirrored_total",
                    "Requests that were to be copied to an upstream, by what became of that.",
                    kind: .counter,
                    labels: labels + [MetricLabel("result", result.label)],
                    value: Double(upstream.report.mirrored[result])
                )
            }
        }
        let panics = sets.map { _, set, labels in
            MetricSample(
                "weir_upstream_panicking",
                "1 while so few endpoints are well that all are used.",
                kind: .gauge,
                labels: labels,
                value: set.isPanicking ? 1 : 0
            )
        }
        return family("weir_upstream_endpoint_weight", "The weight that an endpoint is chosen by now.") {
            $0.weight.value
        }
            + family("weir_upstream_endpoint_ejected", "1 while an endpoint is ejected.") {
                $0.endpoint.isEjected ? 1 : 0
            }
            + family("weir_upstream_breaker_open", "1 while an endpoint is left alone because its connections fail.") {
                $0.endpoint.isBreakerOpen ? 1 : 0
            } + ejections + panics + mirrored
    }
}
