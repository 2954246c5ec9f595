// SPDX-License-Identifier: Apache-2.0
// What /metrics says of the routes of each pool. Families of their own: in one family with the pools' a sum would count
// each request twice.

import WeirFlow
import WeirMetrics

/// Reads the shares of a snapshot; the sum over a pool's routes is what the same snapshot says of the pool.
enum RouteSamples {
    static func all(of flow: FlowSnapshot) -> [MetricSample] {
        let routes = flow.pools.flatMap { pool in
            // A route that nobody asked has no series, as with request durations.
            pool.signals.shares.filter { $0.arrivals > 0 || $0.queued > 0 }.map { share in
                let route = share.name.map { MetricLabel("http_route", $0) }
                let labels = [MetricLabel("pool", pool.name), route ?? MetricLabel("otel_metric_overflow", "true")]
                return (labels: labels, share: share)
            }
        }
        func family(
            _ name: String,
            _ help: String,
            _ kind: MetricSample.Kind,
            _ value: (ShareSignals) -> Double
        ) -> [MetricSample] {
            routes.map { MetricSample(name, help, kind: kind, labels: $0.labels, value: value($0.share)) }
        }
        return family("weir_route_requests_executing", "Requests of a route that run.", .gauge) {
            Double($0.execution.executing)
        }
            + family("weir_route_requests_queued", "Requests of a route that wait to run.", .gauge) {
                Double($0.queued)
            }
            + family("weir_route_requests_queued_peak", "The most within WEIR_PEAK_WINDOW.", .gauge) {
                Double($0.queuedPeak)
            }
            + family("weir_route_queue_oldest_seconds", "Age of the oldest request of a route that waits.", .gauge) {
                Double($0.oldestAge) / 1e9
            }
            + family(
                "weir_route_queue_seconds_total",
                "Integral of a route's part of the queue over time: its rate is the mean length.",
                .counter
            ) { $0.queueSeconds }
            + family(
                "weir_route_execution_seconds_total",
                "Integral of a route's requests that run over time: its rate is the mean concurrency.",
                .counter
            ) { $0.execution.seconds }
            + family("weir_route_requests_arrived_total", "Requests of a route that asked to run.", .counter) {
                Double($0.arrivals)
            }
    }
}
