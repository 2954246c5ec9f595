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
            } + failures
    }
}
