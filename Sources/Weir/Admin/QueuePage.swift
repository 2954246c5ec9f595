// SPDX-License-Identifier: Apache-2.0
// /queue: what runs and what waits in each pool, and how full that makes it and the pod.

import WeirEventLoop
package import WeirFlow

/// The pools as JSON, the pod's first.
package enum QueuePage {
    /// A pool at one instant.
    package struct Entry {
        let name: String
        let signals: AdmissionSignals
        let utilization: Double

        package init(name: String, signals: AdmissionSignals, utilization: Double) {
            self.name = name
            self.signals = signals
            self.utilization = utilization
        }
    }

    static func json(_ flow: FlowControl, now: Nanoseconds) -> [UInt8] {
        let pools = flow.pools.map { named in
            Entry(name: named.name, signals: named.pool.signals(now: now), utilization: named.pool.traffic.utilization)
        }
        return json(pools, utilization: flow.utilization)
    }

    package static func json(_ pools: [Entry], utilization: Double) -> [UInt8] {
        var json = JSONWriter()
        json.append("{\"utilization\":\(utilization),\"pools\":[")
        for (index, pool) in pools.enumerated() {
            if index > 0 { json.append(",") }
            append(pool, to: &json)
        }
        json.append("]}\n")
        return json.bytes
    }

    private static func append(_ pool: Entry, to json: inout JSONWriter) {
        let signals = pool.signals
        json.append("{\"name\":")
        json.append(string: pool.name)
        json.append(",\"utilization\":\(pool.utilization)")
        json.append(",\"executing\":\(signals.executing),\"concurrency_limit\":\(signals.limit)")
        json.append(",\"queued\":\(signals.queued),\"queued_by_class\":{")
        for (index, priority) in WeirFlow.Priority.allCases.enumerated() {
            json.append("\(index == 0 ? "" : ",")\"\(priority)\":\(signals.queuedByClass[index])")
        }
        json.append("},\"order\":\"\(signals.order.rawValue)\"")
        json.append(",\"queue_limit\":\(signals.queueLimit),\"queued_peak\":\(signals.queuedPeak)")
        json.append(",\"oldest_seconds\":\(seconds(signals.oldestAge))")
        json.append(",\"expected_wait_seconds\":\(seconds(signals.expectedWait))")
        json.append(",\"mean_execution_seconds\":\(seconds(signals.meanExecution))}")
    }

    private static func seconds(_ time: Nanoseconds) -> Double { Double(time) / 1e9 }
}
