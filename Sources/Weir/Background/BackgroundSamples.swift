// SPDX-License-Identifier: Apache-2.0
// The numbers of background work for /metrics. They live with its queue, which the loops share.

import WeirMetrics

extension BackgroundQueue {
    /// Of one moment, so that they add up.
    var samples: [MetricSample] {
        let counts = counts
        let outcomes = [
            ("finished", counts.finished), ("failed", counts.failed), ("dropped", counts.dropped),
            ("refused", counts.refused),
        ]
        return [
            MetricSample(
                "weir_background_queued",
                "Background work that has not begun.",
                kind: .gauge,
                value: Double(counts.queued)
            ),
            MetricSample(
                "weir_background_running",
                "Background work that runs.",
                kind: .gauge,
                value: Double(counts.running)
            ),
        ]
            + outcomes.map { outcome, count in
                MetricSample(
                    "weir_background_total",
                    "Background work by how it ended; refused is what found the queue full.",
                    kind: .counter,
                    labels: [MetricLabel("outcome", outcome)],
                    value: Double(count)
                )
            }
    }
}
