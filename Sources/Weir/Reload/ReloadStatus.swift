// SPDX-License-Identifier: Apache-2.0
// What became of the reloads so far, for the metrics and /config. Any thread.

import Glibc
import Synchronization
import WeirMetrics

/// Counts reloads, and keeps why the last one was refused.
final class ReloadStatus: Sendable {
    private struct State {
        var applied = 0
        var unchanged = 0
        var rejected = 0
        var succeededAt: Double
        var fault: String?
    }

    private let state: Mutex<State>

    init() {
        // What the start read was right.
        state = Mutex(State(succeededAt: Self.unixTime))
    }

    func note(_ outcome: ReloadOutcome) {
        let now = Self.unixTime
        state.withLock { state in
            switch outcome {
            case .applied: state.applied += 1
            case .unchanged: state.unchanged += 1
            case .rejected(let fault):
                state.rejected += 1
                state.fault = fault
                return
            }
            state.succeededAt = now
            state.fault = nil
        }
    }

    /// Why the file is refused as it is; nil where it is in force.
    var fault: String? { state.withLock { $0.fault } }

    var samples: [MetricSample] {
        let state = state.withLock { $0 }
        let outcomes = [("applied", state.applied), ("unchanged", state.unchanged), ("rejected", state.rejected)]
        return outcomes.map { outcome, count in
            MetricSample(
                "weir_reloads_total",
                "Reloads of the configuration, by what came of them.",
                kind: .counter,
                labels: [MetricLabel("outcome", outcome)],
                value: Double(count)
            )
        } + [
            MetricSample(
                "weir_reload_last_success_timestamp_seconds",
                "When a configuration was last found right, Unix time.",
                kind: .gauge,
                value: state.succeededAt
            ),
            MetricSample(
                "weir_configuration_rejected",
                "1 while the configuration was refused and an older one is in force.",
                kind: .gauge,
                value: state.fault == nil ? 0 : 1
            ),
        ]
    }

    private static var unixTime: Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
