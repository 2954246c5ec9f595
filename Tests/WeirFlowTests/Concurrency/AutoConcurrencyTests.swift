// SPDX-License-Identifier: Apache-2.0
// The limit that is found for services whose knee is known, in virtual time.

import Testing
import WeirFlow

/// A service, and how well its limit has to be found from 30 s after its last change on.
struct ConcurrencyScenario: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let stages: [ServiceStage]
    var start = 4
    var interval = 0.1
    /// The least share of the throughput that the service is capable of, or that is offered to it if that is less.
    var throughputLeast = 0.95
    /// What the limit may be at any time, probes included, as multiples of the knee.
    var band = 0.75...1.5

    var last: ServiceStage { stages[stages.count - 1] }

    static func overload(_ servers: Int, _ seconds: Double, _ time: ServiceStage.Time = .fixed) -> [ServiceStage] {
        [stage(servers, seconds, time)]
    }

    static func stage(
        from: Double = 0,
        _ servers: Int,
        _ seconds: Double,
        _ time: ServiceStage.Time = .fixed,
        load: Double = 10
    ) -> ServiceStage {
        let offered = load * Double(servers) / seconds
        return ServiceStage(from: from, servers: servers, meanSeconds: seconds, time: time, offered: offered)
    }

    static let demo = stage(20, 0.05)

    static let all = [
        ConcurrencyScenario(testDescription: "20 × 50 ms", stages: [demo]),
        ConcurrencyScenario(testDescription: "20 × 50 ms, from 1", stages: [demo], start: 1),
        ConcurrencyScenario(testDescription: "20 × 50 ms, from far above", stages: [demo], start: 400),
        ConcurrencyScenario(testDescription: "20 × 50 ms, updated each second", stages: [demo], interval: 1),
        ConcurrencyScenario(testDescription: "20 × 50 ms, just too much", stages: [stage(20, 0.05, load: 1.2)]),
        ConcurrencyScenario(testDescription: "1 × 1 ms", stages: [stage(1, 0.001, load: 3)], band: 1...2),
        ConcurrencyScenario(testDescription: "2 × 10 ms", stages: overload(2, 0.01), band: 0.5...1.5),
        ConcurrencyScenario(testDescription: "3 × 10 ms", stages: overload(3, 0.01), band: 0.5...1.5),
        ConcurrencyScenario(testDescription: "100 × 200 ms", stages: overload(100, 0.2)),
        ConcurrencyScenario(testDescription: "5 × 1 s", stages: overload(5, 1), band: 0.6...1.5),
        ConcurrencyScenario(testDescription: "noise", stages: overload(20, 0.05, .logNormal(0.5)), band: 0.5...2),
        ConcurrencyScenario(
            testDescription: "much noise",
            stages: overload(20, 0.05, .logNormal(1)),
            throughputLeast: 0.93,
            band: 0.5...2
        ),
        ConcurrencyScenario(
            testDescription: "a heavy tail",
            stages: overload(20, 0.05, .pareto(2.5)),
            throughputLeast: 0.93,
            band: 0.5...2
        ),
        ConcurrencyScenario(
            testDescription: "capacity doubles",
            stages: [demo, stage(from: 40, 40, 0.05)]
        ),
        ConcurrencyScenario(
            testDescription: "capacity halves",
            stages: [demo, stage(from: 40, 10, 0.05)]
        ),
        ConcurrencyScenario(
            testDescription: "capacity falls to a tenth",
            stages: [demo, stage(from: 40, 2, 0.05)],
            band: 0.5...1.5
        ),
        ConcurrencyScenario(
            testDescription: "twice as slow, with the same knee",
            stages: [demo, stage(from: 40, 20, 0.1)]
        ),
        ConcurrencyScenario(
            testDescription: "twice as fast, with the same knee",
            stages: [demo, stage(from: 40, 20, 0.025)]
        ),
        ConcurrencyScenario(
            testDescription: "half loaded",
            stages: [stage(20, 0.05, load: 0.5)],
            band: 0.5...2
        ),
        ConcurrencyScenario(
            testDescription: "nearly loaded",
            stages: [stage(20, 0.05, load: 0.95)],
            band: 0.5...2.5
        ),
        ConcurrencyScenario(
            testDescription: "overload out of idleness",
            stages: [stage(20, 0.05, load: 0.001), stage(from: 40, 20, 0.05)]
        ),
    ]
}

@Suite struct AutoConcurrencyTests {
    @Test func `a limit comes into the range of other CPUs at once, and stays where it is inside`() {
        let samples = LatencySamples(loopCount: 1)
        var concurrency = AutoConcurrency(samples: samples, start: 40, least: 4, most: 4000)
        concurrency.setRange(least: 2, most: 2000)
        #expect(concurrency.limit == 40)
        concurrency.setRange(least: 1, most: 30)
        #expect(concurrency.limit == 30)
        concurrency.setRange(least: 50, most: 60)
        #expect(concurrency.limit == 50 && concurrency.update(now: 1) == 50)
    }

    @Test(arguments: ConcurrencyScenario.all, [1, 2])
    func `within 30 seconds the limit is near the knee, and stays there`(scenario: ConcurrencyScenario, seed: Int) {
        let last = scenario.last
        var model = ServiceModel(
            scenario.stages,
            start: scenario.start,
            interval: scenario.interval,
            seed: UInt64(seed)
        )
        let from = last.from + 30
        model.run(until: from)
        let completedBefore = model.completed
        var lowest = Int.max
        var highest = 0
        for tick in 1...600 {
            model.run(until: from + Double(tick) / 10)
            lowest = min(lowest, model.limit)
            highest = max(highest, model.limit)
        }
        let knee = Double(last.servers)
        #expect(Double(lowest) >= scenario.band.lowerBound * knee)
        #expect(Double(highest) <= scenario.band.upperBound * knee)
        let possible = min(knee / last.meanSeconds, last.offered) * 60
        #expect(Double(model.completed - completedBefore) >= scenario.throughputLeast * possible)
    }

    /// Services, and within how many seconds their limit has to be near the knee.
    static let climbs: [(stage: ServiceStage, seconds: Double)] = [
        (ConcurrencyScenario.stage(20, 0.05, load: 3), 1.5),
        (ConcurrencyScenario.stage(20, 0.05, load: 0.95), 1.5),
        (ConcurrencyScenario.stage(20, 0.05, .logNormal(0.5), load: 3), 2),
        (ConcurrencyScenario.stage(5, 1), 8),
        (ConcurrencyScenario.stage(100, 0.2, load: 3), 4),
        (ConcurrencyScenario.stage(1000, 0.05, load: 3), 4),
    ]

    @Test(arguments: climbs, [1, 2, 3])
    func `from one place for each CPU it is near the knee within seconds`(
        climb: (stage: ServiceStage, seconds: Double),
        seed: Int
    ) {
        let knee = Double(climb.stage.servers)
        var model = ServiceModel([climb.stage], start: 2, seed: UInt64(seed))
        model.run(until: climb.seconds)
        for tick in 0..<(450 - Int(climb.seconds * 10)) {
            model.run(until: climb.seconds + Double(tick) / 10)
            #expect(Double(model.limit) >= 0.6 * knee && Double(model.limit) <= 2.1 * knee)
        }
        let possible = min(knee / climb.stage.meanSeconds, climb.stage.offered) * 45
        #expect(Double(model.completed) >= 0.85 * possible)
    }

    @Test func `a limit that nobody meets stays as it is`() {
        var model = ServiceModel([ConcurrencyScenario.stage(20, 0.05, load: 0.5)], start: 400, seed: 1)
        model.run(until: 120)
        #expect(model.limit == 400)
        var idle = ServiceModel([ConcurrencyScenario.stage(20, 0.05, load: 0.0001)], start: 4, seed: 1)
        idle.run(until: 600)
        #expect(idle.limit == 4)
    }

    @Test(arguments: [(1.0, 4.0), (0.3, 0.7), (5.0, 5.0)])
    func `bursts with quiet between them are as good as constant load`(burst: Double, quiet: Double) {
        let period = burst + quiet
        let stages = (0..<Int(120 / period)).flatMap { index in
            let start = Double(index) * period
            return [
                ConcurrencyScenario.stage(from: start, 20, 0.05, load: 5),
                ConcurrencyScenario.stage(from: start + burst, 20, 0.05, load: 0.05),
            ]
        }
        var model = ServiceModel(stages, start: 4, seed: 1)
        for second in 30..<120 {
            model.run(until: Double(second))
            #expect(model.limit >= 15 && model.limit <= 30)
        }
    }

    @Test func `the queue's latency is not learnt in an hour of overload`() {
        var model = ServiceModel([ConcurrencyScenario.stage(4, 0.05, load: 2)], start: 4, seed: 1)
        model.run(until: 3600)
        for second in 3600..<3660 {
            model.run(until: Double(second))
            #expect(model.limit >= 3 && model.limit <= 6)
        }
    }

    @Test func `a service that turns away what is too much loses a few steps only`() {
        var stage = ConcurrencyScenario.demo
        stage.refuses = true
        var model = ServiceModel([stage], start: 4, seed: 1)
        model.run(until: 30)
        let before = model.completed
        for second in 30..<90 {
            model.run(until: Double(second))
            #expect(model.limit >= 16 && model.limit <= 22)
        }
        #expect(Double(model.completed - before) >= 0.85 * 400 * 59)
    }

    @Test(arguments: [0.11, 0.2, 0.5], [1, 2])
    func `failures that no limit prevents do not starve the rest`(share: Double, seed: Int) {
        // Nothing is short but places: the limit must grow to what executes.
        var stage = ConcurrencyScenario.stage(1000, 0.05)
        stage.offered = 400
        stage.failingShare = share
        var model = ServiceModel([stage], start: 4, seed: UInt64(seed))
        model.run(until: 60)
        let before = model.completed
        model.run(until: 120)
        #expect(Double(model.completed - before) >= 0.9 * 400 * (1 - share) * 60)
    }

    @Test func `the limit stays between the least and the most`() {
        var narrow = ServiceModel([ConcurrencyScenario.demo], start: 100, least: 2, most: 8, seed: 1)
        #expect(narrow.limit == 8)
        narrow.run(until: 30)
        #expect(narrow.limit >= 6 && narrow.limit <= 8)
        var wide = ServiceModel([ConcurrencyScenario.demo], start: 1, least: 64, most: 128, seed: 1)
        #expect(wide.limit == 64)
        wide.run(until: 30)
        #expect(wide.limit >= 64 && wide.limit <= 96)
    }

    @Test func `failures alone bring the limit down to the least`() {
        let samples = LatencySamples(loopCount: 1)
        var auto = AutoConcurrency(samples: samples, start: 50, least: 3, most: 100)
        for tick in 0..<1000 as Range<UInt64> {
            for _ in 0..<50 { samples.recordFailure(loop: 0) }
            _ = auto.update(now: tick * AutoConcurrency.updateInterval)
        }
        #expect(auto.limit == 3)
    }

    @Test(arguments: [0, 1, 1000, Nanoseconds.max])
    func `latencies of any length are no trap`(latency: Nanoseconds) {
        let samples = LatencySamples(loopCount: 1)
        var auto = AutoConcurrency(samples: samples, start: 1, least: 1, most: 100)
        for tick in 0..<500 as Range<UInt64> {
            for _ in 0..<200 { samples.record(loop: 0, latency: latency, inFlight: auto.limit) }
            let limit = auto.update(now: tick * AutoConcurrency.updateInterval)
            #expect(limit >= 1 && limit <= 100)
        }
    }
}
