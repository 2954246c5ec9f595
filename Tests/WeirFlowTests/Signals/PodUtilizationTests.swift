// SPDX-License-Identifier: Apache-2.0
// The utilization of a simulated pod with two pools, whose loads are known.

import Testing
import WeirFlow

@Suite struct PodUtilizationTests {
    private static let second: Nanoseconds = 1_000_000_000

    /// What is offered to a pool of 4 places, beside one of 64 at 0.3 × its capacity.
    @Test(arguments: [0.5, 0.8, 1, 1.5, 3, 10])
    func `each pool is measured against its own limit, and the fullest counts`(load: Double) {
        var large = Self.pool(limit: 64, meanSeconds: 0.05, load: 0.3)
        var small = Self.pool(limit: 4, meanSeconds: 0.2, load: load)
        var utilization = PodUtilization(window: 10 * Self.second)
        for tick in 1...200 {
            let now = Double(tick) * 0.25
            large.run(until: now)
            small.run(until: now)
            let instant = Nanoseconds(now * 1e9)
            let found = utilization.update(
                pools: [Self.counters(of: large, at: instant), Self.counters(of: small, at: instant)],
                busyNanoseconds: [instant / 5],
                now: instant
            )
            guard now > 20 else { continue }
            #expect(abs(found.offeredLoads[0] / 0.3 - 1) < 0.1)
            #expect(abs(found.offeredLoads[1] / load - 1) < 0.1)
            #expect(found.ratio == max(found.offeredLoads[0], found.offeredLoads[1]))
        }
    }

    @Test func `the busiest loop counts where it is more than every pool's load`() {
        var utilization = PodUtilization(window: 10 * Self.second)
        let idle = UtilizationCounters(
            arrivals: 0,
            execution: ExecutionIntegral(now: 0).snapshot(now: 0),
            limit: 4
        )
        _ = utilization.update(pools: [idle, idle], busyNanoseconds: [0, 0], now: 0)
        let found = utilization.update(
            pools: [idle, idle],
            busyNanoseconds: [7, 9].map { $0 * Self.second },
            now: 10 * Self.second
        )
        #expect(found.ratio == 0.9)
        #expect(found.offeredLoads == [0, 0])
    }

    @Test func `a pool that comes later is measured from then on`() {
        var late = Self.pool(limit: 4, meanSeconds: 0.2, load: 3)
        let idle = UtilizationCounters(
            arrivals: 0,
            execution: ExecutionIntegral(now: 0).snapshot(now: 0),
            limit: 64
        )
        var utilization = PodUtilization(window: 10 * Self.second)
        for tick in 1...200 {
            let now = Double(tick) * 0.25
            let instant = Nanoseconds(now * 1e9)
            late.run(until: now)
            let pools = now < 20 ? [idle] : [idle, Self.counters(of: late, at: instant)]
            let found = utilization.update(pools: pools, busyNanoseconds: [], now: instant)
            #expect(found.offeredLoads.count == pools.count)
            if now < 20 { #expect(found.ratio == 0) }
            if now > 35 { #expect(abs(found.ratio / 3 - 1) < 0.1) }
        }
    }

    @Test func `a pool keeps what was seen of it when others go and come`() {
        let second = Self.second
        func counters(_ arrivals: UInt64) -> UtilizationCounters {
            UtilizationCounters(
                arrivals: arrivals,
                execution: ExecutionSnapshot(
                    executing: 0,
                    requestNanoseconds: arrivals * second,
                    completions: arrivals,
                    completedNanoseconds: arrivals * second,
                    instant: 0
                ),
                limit: 10
            )
        }
        var utilization = PodUtilization(window: 10 * second)
        for tick in 0...80 {
            let pools = [counters(0), counters(0), counters(UInt64(tick) * 2)]
            _ = utilization.update(pools: pools, busyNanoseconds: [], now: Nanoseconds(tick) * second / 4)
        }
        utilization.rearrange([0, 2, nil])
        let pools = [counters(0), counters(160), counters(7)]
        let found = utilization.update(pools: pools, busyNanoseconds: [], now: 20 * second)
        // Eight a second of a second each, over ten places; what a new one counted before is none of it.
        #expect(found.offeredLoads == [0, 0.8, 0])
    }

    private static func pool(limit: Int, meanSeconds: Double, load: Double) -> ServiceModel {
        let stage = ServiceStage(
            servers: limit,
            meanSeconds: meanSeconds,
            offered: load * Double(limit) / meanSeconds,
            isEven: true
        )
        return ServiceModel([stage], start: limit, least: limit, most: limit, seed: 5)
    }

    private static func counters(of model: borrowing ServiceModel, at instant: Nanoseconds) -> UtilizationCounters {
        UtilizationCounters(
            arrivals: UInt64(model.arrived),
            execution: model.execution.snapshot(now: instant),
            limit: model.limit
        )
    }
}
