// SPDX-License-Identifier: Apache-2.0
// The numbers of handshakes with upstreams for /metrics.

import WeirMetrics
import WeirTLS
import WeirUpstream

/// Reads the counts of upstreams that are spoken TLS with.
enum HandshakeSamples {
    static func all(of upstreams: [Upstream]) -> [MetricSample] {
        let used = upstreams.filter { $0.policy.tls != nil }
        let done = used.flatMap { upstream in
            [false, true].map { isResumed in
                MetricSample(
                    "weir_upstream_tls_handshakes_total",
                    "TLS handshakes with an upstream's endpoints that were done, by whether a former session was resumed.",
                    kind: .counter,
                    labels: [MetricLabel("upstream", upstream.name), MetricLabel("resumed", "\(isResumed)")],
                    value: Double(upstream.report.handshakes.count(resumed: isResumed))
                )
            }
        }
        let failed = used.flatMap { upstream in
            HandshakeFault.allCases.map { fault in
                MetricSample(
                    "weir_upstream_tls_handshake_failures_total",
                    "TLS handshakes with an upstream's endpoints that failed, by reason.",
                    kind: .counter,
                    labels: [MetricLabel("upstream", upstream.name), MetricLabel("reason", fault.label)],
                    value: Double(upstream.report.handshakes[fault])
                )
            }
        }
        return done + failed
    }
}
