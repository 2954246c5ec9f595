// SPDX-License-Identifier: Apache-2.0
// /queue: what runs and what waits, and how full that makes the pod. One object with every signal of the pod as a number
// at its top, for scalers that read one value by its path; then the same by pool.

import WeirEventLoop
import WeirFlow
package import WeirMetrics

/// The pod and its pools as JSON.
package enum QueuePage {
    /// What the loops have counted.
    package struct Counts: Sendable {
        let waits: DurationHistograms.Total
        let durations: DurationHistograms.Total
        /// In the order of the reasons.
        let rejections: [(reason: RejectionReason, count: UInt64)]
        let streams: Int

        package init(_ shards: [MetricsShard]) {
            waits = shards.reduce(DurationHistograms.Total()) { $0 + $1.waits.total }
            durations = shards.reduce(DurationHistograms.Total()) { $0 + $1.durations.total }
            rejections = RejectionReason.allCases.map { reason in
                (reason, shards.reduce(0) { $0 &+ $1.rejections.count(reason) })
            }
            streams = shards.reduce(0) { $0 + $1.streams.total }
        }
    }

    package static func json(_ flow: FlowSnapshot, _ counts: Counts) -> [UInt8] {
        var json = JSONWriter()
        append(flow, to: &json)
        append(counts, to: &json)
        json.append(",\"pools\":[")
        for (index, pool) in flow.pools.enumerated() {
            if index > 0 { json.append(",") }
            append(pool, to: &json)
        }
        json.append("]}\n")
        return json.bytes
    }

    /// The pod's: sums over its pools, but for what is the most of any.
    private static func append(_ flow: FlowSnapshot, to json: inout JSONWriter) {
        let all = flow.pools.map(\.signals)
        let executing = all.reduce(0) { $0 + $1.execution.executing }
        let queued = all.reduce(0) { $0 + $1.queued }
        let offered = flow.pools.reduce(0) { $0 + $1.utilization * Double($1.signals.limit) }
        json.append("{\"utilization\":\(flow.utilization),\"offered_load\":\(offered)")
        json.append(",\"executing\":\(executing),\"queued\":\(queued),\"requests\":\(executing + queued)")
        json.append(",\"concurrency_limit\":\(all.reduce(0) { $0 + $1.limit })")
        json.append(",\"queue_limit\":\(all.reduce(0) { $0 + $1.queueLimit })")
        json.append(",\"queued_peak\":\(all.reduce(0) { max($0, $1.queuedPeak) })")
        json.append(",\"oldest_seconds\":\(seconds(all.reduce(0) { max($0, $1.oldestAge) }))")
        json.append(",\"queue_seconds_total\":\(all.reduce(0) { $0 + $1.queueSeconds })")
        json.append(",\"execution_seconds_total\":\(all.reduce(0) { $0 + $1.execution.seconds })")
        json.append(",\"arrived_total\":\(all.reduce(0) { $0 &+ $1.arrivals })")
    }

    private static func append(_ counts: Counts, to json: inout JSONWriter) {
        json.append(",\"rejected_total\":\(counts.rejections.reduce(0) { $0 &+ $1.count })")
        for (reason, count) in counts.rejections { json.append(",\"rejected_\(reason.label)_total\":\(count)") }
        append(counts.waits, "queue_wait_seconds", to: &json)
        append(counts.durations, "http_server_request_duration_seconds", to: &json)
        json.append(",\"streams_active\":\(counts.streams)")
    }

    private static func append(_ total: DurationHistograms.Total, _ name: String, to json: inout JSONWriter) {
        json.append(",\"\(name)_sum\":\(seconds(total.nanoseconds)),\"\(name)_count\":\(total.count)")
    }

    private static func append(_ pool: FlowSnapshot.Pool, to json: inout JSONWriter) {
        let signals = pool.signals
        json.append("{\"name\":")
        json.append(string: pool.name)
        json.append(",\"utilization\":\(pool.utilization)")
        json.append(",\"executing\":\(signals.execution.executing),\"concurrency_limit\":\(signals.limit)")
        json.append(",\"queued\":\(signals.queued),\"queued_by_class\":{")
        for (index, priority) in WeirFlow.Priority.allCases.enumerated() {
            json.append("\(index == 0 ? "" : ",")\"\(priority)\":\(signals.queuedByClass[index])")
        }
        json.append("},\"order\":\"\(signals.order.rawValue)\"")
        json.append(",\"queue_limit\":\(signals.queueLimit),\"queued_peak\":\(signals.queuedPeak)")
        json.append(",\"oldest_seconds\":\(seconds(signals.oldestAge))")
        json.append(",\"queue_seconds_total\":\(signals.queueSeconds)")
        json.append(",\"execution_seconds_total\":\(signals.execution.seconds)")
        json.append(",\"arrived_total\":\(signals.arrivals)")
        json.append(",\"expected_wait_seconds\":\(seconds(signals.expectedWait))")
        json.append(",\"mean_execution_seconds\":\(seconds(signals.meanExecution))}")
    }

    private static func seconds(_ time: Nanoseconds) -> Double { Double(time) / 1e9 }
}
