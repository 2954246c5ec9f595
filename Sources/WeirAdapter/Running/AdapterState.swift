// SPDX-License-Identifier: Apache-2.0
// What the adapter's loop finds out and its handlers answer by. Shared; every access takes the mutex for a moment.

import Synchronization
package import WeirMetrics

/// The present state.
package final class AdapterState: Sendable {
    /// What is not known yet, where the adapter cannot answer.
    package struct Readiness: Sendable, Equatable {
        package var hasFrontProxy = false
        package var hasCertificate = false
        package var hasPods = false

        package var isReady: Bool { hasFrontProxy && hasCertificate && hasPods }

        /// What the probe reads.
        package var text: String {
            if isReady { return "ready\n" }
            let missing = [
                hasFrontProxy ? nil : "not ready: who may ask is not known yet\n",
                hasCertificate ? nil : "not ready: the replicas have no certificate yet\n",
                hasPods ? nil : "not ready: the pods are not known yet\n",
            ]
            return missing.compactMap(\.self).joined()
        }
    }

    /// What is counted for /metrics.
    package struct Counts: Sendable, Equatable {
        package var answered: UInt64 = 0
        package var failed: UInt64 = 0
        package var refused: UInt64 = 0
        package var missing = 0
    }

    private struct State {
        var table: SignalTable
        var frontProxy: FrontProxy?
        var readiness = Readiness()
        var counts = Counts()
        var problems: Set<ClusterSubject> = []
    }

    private let state: Mutex<State>

    package init(_ timing: SignalTiming) {
        state = Mutex(State(table: SignalTable(timing)))
    }

    package var table: SignalTable { state.withLock { $0.table } }

    package func changeTable<Result: Sendable>(_ change: (inout SignalTable) -> Result) -> Result {
        state.withLock { change(&$0.table) }
    }

    package var frontProxy: FrontProxy? { state.withLock { $0.frontProxy } }

    package func admit(_ frontProxy: FrontProxy) {
        state.withLock { state in
            state.frontProxy = frontProxy
            state.readiness.hasFrontProxy = true
        }
    }

    package var readiness: Readiness { state.withLock { $0.readiness } }

    package func noteCertificate() { state.withLock { $0.readiness.hasCertificate = true } }

    package func notePods() { state.withLock { $0.readiness.hasPods = true } }

    package func count(_ change: (inout Counts) -> Void) { state.withLock { change(&$0.counts) } }

    /// Something does not work, or does again.
    func note(_ subject: ClusterSubject, isWrong: Bool) {
        state.withLock { state in
            if isWrong { state.problems.insert(subject) } else { state.problems.remove(subject) }
        }
    }

    /// For /metrics.
    package var samples: [MetricSample] {
        let (counts, ready, pods, problems) = state.withLock { state in
            (state.counts, state.table.readyCount, state.table.entries.count, state.problems)
        }
        func samples(
            _ name: String,
            _ help: String,
            _ kind: MetricSample.Kind,
            _ label: String,
            _ values: [(String, Double)]
        ) -> [MetricSample] {
            values.map { MetricSample(name, help, kind: kind, labels: [MetricLabel(label, $0.0)], value: $0.1) }
        }
        return samples(
            "weir_adapter_pods",
            "Pods that are watched: those that are ready, those of them that do not answer, and the others.",
            .gauge,
            "state",
            [
                ("answering", Double(max(0, ready - counts.missing))), ("missing", Double(counts.missing)),
                ("not_ready", Double(pods - ready)),
            ]
        )
            + samples(
                "weir_adapter_scrapes_total",
                "Requests to pods, by what came of them.",
                .counter,
                "outcome",
                [("answered", Double(counts.answered)), ("failed", Double(counts.failed))]
            ) + [
                MetricSample(
                    "weir_adapter_unauthorized_total",
                    "Requests that were not the aggregation layer's.",
                    kind: .counter,
                    value: Double(counts.refused)
                )
            ]
            + samples(
                "weir_adapter_problem",
                "1 while something of the cluster does not answer as it should; what was known last holds.",
                .gauge,
                "subject",
                ClusterSubject.allCases.map { ($0.rawValue, problems.contains($0) ? 1 : 0) }
            )
    }
}
