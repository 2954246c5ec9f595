// SPDX-License-Identifier: Apache-2.0
// What /queue says of the pod and of its pools.

import Testing
import Weir
import WeirFlow
import WeirMetrics

@Suite struct QueuePageTests {
    private static let millisecond: Nanoseconds = 1_000_000

    /// Two loops that have turned seven away, had three wait 0.75 s together, and answered two in 2.5 s.
    private static var shards: [MetricsShard] {
        let shards = [MetricsShard(), MetricsShard()]
        for route in 0..<4 { shards[route % 2].recordRejection(.rateLimited, route: Int32(route)) }
        for _ in 0..<3 { shards[1].recordRejection(.memory, route: -1) }
        for (index, wait) in [250, 100, 400].enumerated() {
            shards[index % 2].recordWait(route: Int32(index), nanoseconds: UInt64(wait) * millisecond)
        }
        shards[0].recordDuration(route: 0, method: 0, status: 200, nanoseconds: 500 * millisecond)
        shards[1].recordDuration(route: 1, method: 1, status: 503, nanoseconds: 2000 * millisecond)
        shards[1].countStream(route: 0, begins: true)
        return shards
    }

    @Test func `the page shows what runs and waits, of the pod and in each pool, and how full it is`() {
        let pool = AdmissionPool(limit: 2, queueLimit: 16, now: 0)
        let route = pool.share(of: "/orders")
        let tickets = (0..<6).map { _ in AdmissionTicket(owner: nil) }
        let classes: [WeirFlow.Priority] = [.default, .default, .default, .sheddable, .default, .critical]
        _ = pool.enter(tickets[0], priority: .default, deadline: .max, now: 0)
        _ = pool.leave(executionNanoseconds: 50 * Self.millisecond, now: 0)
        for (ticket, priority) in zip(tickets, classes) {
            switch pool.enter(ticket, priority: priority, deadline: .max, share: route, now: 0) {
            case .admitted: route.traffic.arriveAndBegin(loop: 0, now: 0)
            case .queued, .refused: route.traffic.arrive(loop: 0)
            }
        }
        let later = 20 * Self.millisecond
        let other = AdmissionPool(limit: 3, queueLimit: 0, now: 0)
        let page = QueuePage.json(
            FlowSnapshot(
                pools: [
                    FlowSnapshot.Pool(name: "pod", signals: pool.signals(now: later), utilization: 1.5),
                    FlowSnapshot.Pool(name: "/a\"b", signals: other.signals(now: later), utilization: 0),
                ],
                utilization: 1.5
            ),
            QueuePage.Counts(Self.shards)
        )
        let expected =
            #"{"utilization":1.5,"offered_load":3.0,"executing":2,"queued":4,"requests":6,"concurrency_limit":5,"#
            + #""queue_limit":16,"queued_peak":4,"oldest_seconds":0.02,"queue_seconds_total":0.08,"#
            + #""execution_seconds_total":0.04,"arrived_total":6,"rejected_total":7,"rejected_rate_limited_total":4,"#
            + #""rejected_queue_full_total":0,"rejected_deadline_unmeetable_total":0,"rejected_memory_total":3,"#
            + #""rejected_descriptors_total":0,"rejected_deadline_exceeded_total":0,"rejected_no_endpoint_total":0,"#
            + #""rejected_tunnels_total":0,"rejected_degraded_total":0,"queue_wait_seconds_sum":0.75,"#
            + #""queue_wait_seconds_count":3,"http_server_request_duration_seconds_sum":2.5,"#
            + #""http_server_request_duration_seconds_count":2,"streams_active":1,"#
            + #""pools":[{"name":"pod","utilization":1.5,"executing":2,"concurrency_limit":2,"#
            + #""queued":4,"queued_by_class":{"critical":1,"default":2,"sheddable":1},"order":"arrival","queue_limit":16,"#
            + #""queued_peak":4,"oldest_seconds":0.02,"queue_seconds_total":0.08,"execution_seconds_total":0.04,"#
            + #""arrived_total":6,"expected_wait_seconds":0.075,"mean_execution_seconds":0.05},"#
            + #"{"name":"/a\"b","utilization":0.0,"executing":0,"concurrency_limit":3,"#
            + #""queued":0,"queued_by_class":{"critical":0,"default":0,"sheddable":0},"order":"arrival","queue_limit":0,"#
            + #""queued_peak":0,"oldest_seconds":0.0,"queue_seconds_total":0.0,"execution_seconds_total":0.0,"#
            + #""arrived_total":0,"expected_wait_seconds":0.0,"mean_execution_seconds":0.0}]}"#
        #expect(String(decoding: page, as: UTF8.self) == expected + "\n")
    }
}
