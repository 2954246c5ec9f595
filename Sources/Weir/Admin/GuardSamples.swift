// SPDX-License-Identifier: Apache-2.0
// What /metrics says of the guards of routes.

import WeirFlow
import WeirMetrics

/// Reads what the guards have found.
enum GuardSamples {
    static func all(of guards: [RouteGuard]) -> [MetricSample] {
        let reports = guards.map { ([MetricLabel("route", $0.name)], $0.report) }
        func family(
            _ name: String,
            _ help: String,
            _ kind: MetricSample.Kind,
            _ value: (RouteGuard.Report) -> Double
        ) -> [MetricSample] {
            reports.map { MetricSample(name, help, kind: kind, labels: $0, value: value($1)) }
        }
        let ratios = reports.flatMap { labels, report in
            report.findings.map { finding in
                MetricSample(
                    "weir_guard_ratio",
                    "The last window over the baseline, by signal.",
                    kind: .gauge,
                    labels: labels + [MetricLabel("signal", finding.signal.rawValue)],
                    value: finding.ratio
                )
            }
        }
        return family("weir_guard_degraded", "1 while a route is degraded by its guard.", .gauge) {
            $0.isDegraded ? 1 : 0
        }
            + family("weir_guard_degradations_total", "How often a route was degraded by its guard.", .counter) {
                Double($0.degradations)
            }
            + family("weir_guard_learning", "1 while a route's guard has nothing to compare with yet.", .gauge) {
                $0.isLearning ? 1 : 0
            } + ratios
    }
}
