// SPDX-License-Identifier: Apache-2.0
// The utilization of a simulated pod whose load is known.

import Testing
import WeirFlow

/// A pod that admits as many as its service works on, and what is offered to it as a multiple of its capacity.
struct LoadScenario: Sendable, CustomTestStringConvertible {
    let limit: Int
    let meanSeconds: Double
    var time = ServiceStage.Time.fixed
    let load: Double
    var tick = 0.25

    var testDescription: String { "\(limit) × \(meanSeconds) s, \(time), \(load) × the capacity, each \(tick) s" }

    static let all = [0.5, 0.8, 1, 1.5, 3, 10].flatMap { load in
        [
            LoadScenario(limit: 64, meanSeconds: 0.05, load: load),
            LoadScenario(limit: 64, meanSeconds: 0.05, time: .logNormal(0.5), load: load),
            LoadScenario(limit: 64, meanSeconds: 0.05, load: load, tick: 1),
            LoadScenario(limit: 64, meanSeconds: 0.05, load: load, tick: 0.05),
            // Longer than the window: in most of them nothing, or everything, completes.
            LoadScenario(limit: 2000, meanSeconds: 35, load: load),
            LoadScenario(limit: 2000, meanSeconds: 35, time: .logNormal(0.5), load: load),
        ]
    }
}

@Suite struct UtilizationWindowTests {
    private static let second: Nanoseconds = 1_000_000_000

    @Test(arguments: LoadScenario.all)
    func `the offered load is right, whatever is admitted of it`(scenario: LoadScenario) {
        let limit = scenario.limit
        let offered = scenario.load * Double(limit) / scenario.meanSeconds
        let stage = ServiceStage(
            servers: limit,
            meanSeconds: scenario.meanSeconds,
            time: scenario.time,
            offered: offered,
            isEven: true
        )
        var model = ServiceModel([stage], start: limit, least: limit, most: limit, seed: 3)
        var window = UtilizationWindow()
        var readings: [Double] = []
        let warmUp = max(20, 4 * scenario.meanSeconds)
        for tick in 1...Int((warmUp + 30) / scenario.tick) {
            let now = Double(tick) * scenario.tick
            model.run(until: now)
            let instant = Nanoseconds(now * 1e9)
            let counters = UtilizationCounters(
                arrivals: UInt64(model.arrived),
                execution: model.execution.snapshot(now: instant),
                limit: limit,
                busyNanoseconds: []
            )
            let reading = window.update(counters, now: instant)
            #expect(reading.ratio.isFinite)
            if now > warmUp { readings.append(reading.ratio) }
        }
        #expect(readings.allSatisfy { abs($0 / scenario.load - 1) < 0.1 })
    }

    @Test func `with nothing counted it is 0`() {
        var window = UtilizationWindow()
        #expect(window.update(Self.counters(), now: 5) == Utilization())
        #expect(window.update(Self.counters(), now: 5) == Utilization())
        #expect(window.update(Self.counters(), now: Self.second) == Utilization())
    }

    @Test func `idleness brings it back to 0 within the window`() {
        var window = UtilizationWindow()
        _ = window.update(Self.counters(), now: 0)
        let busy = Self.counters(arrivals: 1000, completions: 1000, requestSeconds: 100)
        #expect(window.update(busy, now: 10 * Self.second).offeredLoad == 1)
        for quarter in 41..<80 as Range<UInt64> {
            #expect(window.update(busy, now: quarter * Self.second / 4).offeredLoad > 0)
        }
        #expect(window.update(busy, now: 20 * Self.second).offeredLoad == 0)
        #expect(window.update(busy, now: 200_000 * Self.second).offeredLoad == 0)
        // 500 of 0.1 s in 5 s: what was before the pause tells how long they take.
        let again = Self.counters(arrivals: 1500, completions: 1500, requestSeconds: 150)
        let reading = window.update(again, now: 200_010 * Self.second)
        #expect(reading.offeredLoad == 0.5)
    }

    @Test func `one long request among a few short ones is one place of the limit`() {
        var window = UtilizationWindow()
        for second in 0...60 as ClosedRange<UInt64> {
            // One executes all the time; one a second comes and is gone at once.
            let counters = Self.counters(
                arrivals: 1 + second,
                completions: second,
                requestSeconds: second,
                completedSeconds: 0,
                executing: second == 0 ? 0 : 1
            )
            let reading = window.update(counters, now: second * Self.second)
            #expect(reading.offeredLoad < 0.2)
        }
    }

    @Test func `requests that never end are a growing load`() {
        var window = UtilizationWindow()
        var last = 0.0
        for second in 0...60 as ClosedRange<UInt64> {
            // 10 fill the limit at once, 2 a second are turned away.
            let counters = Self.counters(
                arrivals: 10 + 2 * second,
                requestSeconds: 10 * second,
                completedSeconds: 0,
                executing: second == 0 ? 0 : 10
            )
            let reading = window.update(counters, now: second * Self.second)
            if second > 10 { #expect(reading.offeredLoad > last) }
            last = reading.offeredLoad
        }
        #expect(last > 10)
    }

    @Test func `the limit of the window counts, not the last one`() {
        var window = UtilizationWindow()
        _ = window.update(Self.counters(limit: 10), now: 0)
        let middle = Self.counters(arrivals: 500, completions: 500, requestSeconds: 50, limit: 30)
        _ = window.update(middle, now: 5 * Self.second)
        let end = Self.counters(arrivals: 1000, completions: 1000, requestSeconds: 100, limit: 1)
        #expect(window.update(end, now: 10 * Self.second).offeredLoad == 0.5)
    }

    @Test func `a pod that begins has been idle before`() {
        var window = UtilizationWindow()
        _ = window.update(Self.counters(), now: 100 * Self.second)
        for second in 1...20 as ClosedRange<UInt64> {
            // Full from its first moment on: 100 a second of 0.1 s, in 10 places.
            let busy = Self.counters(arrivals: 100 * second, completions: 100 * second, requestSeconds: 10 * second)
            let reading = window.update(busy, now: (100 + second) * Self.second)
            #expect(abs(reading.offeredLoad - Double(min(second, 10)) / 10) < 1e-9)
        }
    }

    @Test func `load that goes over to new pods is counted once`() {
        var windows = [UtilizationWindow(), UtilizationWindow()]
        for second in 0...30 as ClosedRange<UInt64> {
            // One has it alone; from second 15 on there are two, and each has half.
            let shared = second > 15 ? second - 15 : 0
            let arrivals = [100 * second - 50 * shared, 50 * shared]
            let readings = windows.indices.map { index in
                guard index == 0 || second >= 15 else { return 0.0 }
                let executed = Self.counters(
                    arrivals: arrivals[index],
                    completions: arrivals[index],
                    requestSeconds: arrivals[index] / 10
                )
                return windows[index].update(executed, now: second * Self.second).offeredLoad
            }
            if second >= 10 { #expect(abs(readings[0] + readings[1] - 1) < 1e-9) }
        }
    }

    @Test func `the busiest loop counts where it is more than the load`() {
        var window = UtilizationWindow()
        _ = window.update(Self.counters(busySeconds: [1, 7, 3]), now: Self.second)
        let reading = window.update(Self.counters(busySeconds: [2, 16, 3]), now: 11 * Self.second)
        #expect(reading.busiestLoop == 0.9)
        #expect(reading.ratio == 0.9)
    }

    @Test func `a loop that has come since counts from its beginning on`() {
        var window = UtilizationWindow()
        _ = window.update(Self.counters(busySeconds: [7]), now: 0)
        #expect(window.update(Self.counters(busySeconds: [8, 4]), now: 8 * Self.second).busiestLoop == 0.5)
    }

    private static func counters(
        arrivals: UInt64 = 0,
        completions: UInt64 = 0,
        requestSeconds: UInt64 = 0,
        completedSeconds: UInt64? = nil,
        executing: Int = 0,
        limit: Int = 10,
        busySeconds: [UInt64] = []
    ) -> UtilizationCounters {
        UtilizationCounters(
            arrivals: arrivals,
            execution: ExecutionSnapshot(
                executing: executing,
                requestNanoseconds: requestSeconds * second,
                completions: completions,
                completedNanoseconds: (completedSeconds ?? requestSeconds) * second,
                instant: 0
            ),
            limit: limit,
            busyNanoseconds: busySeconds.map { $0 * second }
        )
    }
}
