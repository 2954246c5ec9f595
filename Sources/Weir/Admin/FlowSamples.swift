// SPDX-License-Identifier: Apache-2.0
// What /metrics says of pools, limits and the load as a whole.

import WeirEventLoop
import WeirFlow
import WeirMetrics

/// Reads the state that decides, at one instant.
enum FlowSamples {
    static func all(of flow: FlowControl, now: Nanoseconds) -> [MetricSample] {
        let snapshot = FlowSnapshot(flow, now: now)
        return samples(of: snapshot) + RouteSamples.all(of: snapshot) + limitSamples(flow, now: now)
    }

    private static func samples(of flow: FlowSnapshot) -> [MetricSample] {
        var samples: [MetricSample] = []
        func add(
            _ name: String,
            _ help: String,
            _ kind: MetricSample.Kind,
            _ value: (AdmissionSignals) -> Double
        ) {
            for pool in flow.pools {
                let labels = [MetricLabel("pool", pool.name)]
                samples.append(MetricSample(name, help, kind: kind, labels: labels, value: value(pool.signals)))
            }
        }
        add("weir_requests_executing", "Requests that were admitted and run.", .gauge) {
            Double($0.execution.executing)
        }
        add("weir_requests_queued", "Requests that wait to run.", .gauge) { Double($0.queued) }
        add("weir_concurrency_limit", "How many requests may run.", .gauge) { Double($0.limit) }
        add("weir_queue_limit", "How many requests may wait.", .gauge) { Double($0.queueLimit) }
        add(
            "weir_queue_seconds_total",
            "Integral of the queue's length over time: its rate is the mean length.",
            .counter
        ) { $0.queueSeconds }
        add("weir_requests_queued_peak", "Highest length of the queue within WEIR_PEAK_WINDOW.", .gauge) {
            Double($0.queuedPeak)
        }
        add("weir_queue_oldest_seconds", "Age of the oldest request that waits.", .gauge) { Double($0.oldestAge) / 1e9 }
        add("weir_queue_waited_total", "Requests that began to wait.", .counter) { Double($0.counts.waited) }
        add("weir_queue_granted_total", "Requests that waited and then ran.", .counter) { Double($0.counts.granted) }
        add("weir_queue_expired_total", "Requests that left the queue for their deadline.", .counter) {
            Double($0.counts.expired)
        }
        add("weir_queue_displaced_total", "Requests that made room in a full queue.", .counter) {
            Double($0.counts.displaced)
        }
        add("weir_queue_newest_first", "Whether the newest is served first, since clients give up.", .gauge) {
            $0.order == .newest ? 1 : 0
        }
        add(
            "weir_requests_arrived_total",
            "Requests that asked to run: all but those that a rate limit refused.",
            .counter
        ) { Double($0.arrivals) }
        add(
            "weir_execution_seconds_total",
            "Integral of the requests that run over time: its rate is the mean concurrency.",
            .counter
        ) { $0.execution.seconds }
        for pool in flow.pools {
            samples.append(
                MetricSample(
                    "weir_pool_utilization_ratio",
                    "Offered load over the pool's limit; 1 is full.",
                    kind: .gauge,
                    labels: [MetricLabel("pool", pool.name)],
                    value: pool.utilization
                )
            )
        }
        samples.append(
            MetricSample(
                "weir_utilization_ratio",
                "The fullest pool's utilization, or the busiest loop's busy share if that is more; 1 is full.",
                kind: .gauge,
                value: flow.utilization
            )
        )
        return samples
    }

    private static func limitSamples(_ flow: FlowControl, now: Nanoseconds) -> [MetricSample] {
        let usages = flow.limits.filter { $0.declared.key != .none }.map { ($0, $0.limiter.usage(now: now)) }
        func samples(
            _ name: String,
            _ help: String,
            _ kind: MetricSample.Kind,
            _ value: (LimiterUsage) -> Double
        ) -> [MetricSample] {
            usages.map { limit, usage in
                let labels = [MetricLabel("limit", limit.declared.name), MetricLabel("index", "\(limit.number)")]
                return MetricSample(name, help, kind: kind, labels: labels, value: value(usage))
            }
        }
        return samples("weir_rate_limit_keys", "Keys that do not have their full quota.", .gauge) {
            Double($0.entriesInUse)
        }
            + samples("weir_rate_limit_keys_max", "Keys that fit into a limit's memory.", .gauge) {
                Double($0.entriesMax)
            }
            + samples(
                "weir_rate_limit_evictions_total",
                "Keys that made room before they had their full quota back.",
                .counter
            ) { Double($0.evictions) }
    }
}
