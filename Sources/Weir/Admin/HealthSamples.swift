// SPDX-License-Identifier: Apache-2.0
// How endpoints are, and what their checks came to, for /metrics.

package import WeirMetrics
package import WeirUpstream

/// Reads the endpoints' health and the upstreams' counts of checks, family by family as Prometheus text wants them.
package enum HealthSamples {
    package static func all(of upstreams: [Upstream]) -> [MetricSample] {
        let health = upstreams.flatMap { upstream in
            upstream.endpoints.flatMap { endpoint in
                let present = endpoint.health
                // All of them, so that a series does not end when it is another's turn.
                return EndpointHealth.allCases.map { health in
                    MetricSample(
                        "weir_upstream_endpoint_health",
                        "1 for what an endpoint's checks and its source say of it, 0 for what they do not.",
                        kind: .gauge,
                        labels: [
                            MetricLabel("upstream", upstream.name), MetricLabel("endpoint", endpoint.name),
                            MetricLabel("status", health.word),
                        ],
                        value: health == present ? 1 : 0
                    )
                }
            }
        }
        let checks = upstreams.flatMap { upstream in
            CheckStatus.allCases.map { status in
                MetricSample(
                    "weir_upstream_checks_total",
                    "Checks of an upstream's endpoints that ran, by result.",
                    kind: .counter,
                    labels: [MetricLabel("upstream", upstream.name), MetricLabel("status", status.rawValue)],
                    value: Double(upstream.report[status])
                )
            }
        }
        return health + checks
    }
}
