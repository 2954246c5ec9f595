// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

@Suite("OutlierEjection") struct OutlierEjectionTests {
    typealias Behaviour = OutlierSimulation.Behaviour

    private static let second: Nanoseconds = 1_000_000_000
    private static let good = Behaviour()
    private static let failing = Behaviour(failing: 0.3)

    private static func pool(_ count: Int, with outlier: Behaviour, seed: UInt64) -> OutlierSimulation {
        OutlierSimulation([outlier] + [Behaviour](repeating: good, count: count - 1), seed: seed)
    }

    private static let seeds: [UInt64] = Array(1...8)

    @Test("One of two to five that fails three times in ten is ejected within two intervals", arguments: 2...5, seeds)
    func failureRate(count: Int, seed: UInt64) {
        let pool = Self.pool(count, with: Self.failing, seed: seed)
        pool.run(seconds: 21, requestsPerSecond: 20 * count)
        #expect(pool.ejected == [0], "seed \(seed)")
    }

    @Test("With few requests it takes up to six intervals", arguments: [2, 3], seeds)
    func lowTraffic(count: Int, seed: UInt64) {
        let pool = Self.pool(count, with: Behaviour(failing: 0.5), seed: seed)
        pool.run(seconds: 61, requestsPerSecond: count)
        #expect(pool.ejections(0).count >= 1, "seed \(seed)")
        #expect(pool.ejections(1).isEmpty, "seed \(seed)")
    }

    @Test("Of endpoints that are equally bad none is ejected", arguments: [2, 3, 5], [0.02, 0.3, 0.7, 1])
    func equallyBad(count: Int, share: Double) {
        for seed in Self.seeds {
            let behaviours = [Behaviour](repeating: Behaviour(failing: share), count: count)
            let pool = OutlierSimulation(behaviours, seed: seed)
            pool.run(seconds: 120, requestsPerSecond: 50 * count)
            #expect(pool.events.isEmpty, "seed \(seed)")
        }
    }

    @Test("Of endpoints that are equally slow none is ejected", arguments: [2, 3, 5])
    func equallySlow(count: Int) {
        for seed in Self.seeds {
            let behaviours = [Behaviour](repeating: Behaviour(milliseconds: 200), count: count)
            let pool = OutlierSimulation(behaviours, seed: seed)
            pool.run(seconds: 300, requestsPerSecond: 5 * count)
            #expect(pool.events.isEmpty, "seed \(seed)")
        }
    }

    @Test("One of two or three that is ten times as slow is ejected", arguments: [2, 3], seeds)
    func slow(count: Int, seed: UInt64) {
        let pool = Self.pool(count, with: Behaviour(milliseconds: 100), seed: seed)
        pool.run(seconds: 11, requestsPerSecond: 10 * count)
        #expect(pool.ejected == [0], "seed \(seed)")
        #expect(pool.ejections(0).first?.cause.label.description == "latency")
    }

    @Test("One that fails always is ejected after five failures, without waiting for the interval's end")
    func run() throws {
        let pool = Self.pool(3, with: Self.good, seed: 1)
        pool.run(seconds: 5, requestsPerSecond: 100)
        pool[0].failing = 1
        pool.run(seconds: 1, requestsPerSecond: 100)
        #expect(pool.ejections(0).map(\.second) == [5])
        let first = try #require(pool.ejections(0).first)
        #expect(first.cause == .consecutiveFailures(5))
    }

    @Test("Where all begin to fail together none is ejected")
    func common() {
        for seed in Self.seeds {
            let pool = Self.pool(3, with: Self.good, seed: seed)
            pool.run(seconds: 15, requestsPerSecond: 100)
            for index in 0..<3 { pool[index].failing = 1 }
            pool.run(seconds: 60, requestsPerSecond: 100)
            #expect(pool.events.isEmpty, "seed \(seed)")
        }
    }

    @Test("An ejection lasts longer each time, to a most, and is forgotten by good conduct")
    func growth() {
        let pool = Self.pool(2, with: Behaviour(failing: 1), seed: 3)
        pool.run(seconds: 3000, requestsPerSecond: 40)
        let lengths = pool.ejections(0).map { Double($0.length) / Double(Self.second) }
        #expect(lengths.count > 12)
        for (number, length) in lengths.enumerated() {
            let least = min(300, 30 * Double(number + 1))
            #expect((least...least * 1.1).contains(length))
        }
        #expect(Set(lengths.suffix(3)).count == 3, "jitter")
        // Ten are forgotten in ten times 30 s, counted at the ends of intervals.
        pool[0].failing = 0
        pool.run(seconds: 300 + 11 * 50, requestsPerSecond: 40)
        pool[0].failing = 1
        let count = lengths.count
        pool.run(seconds: 20, requestsPerSecond: 40)
        let again = pool.ejections(0)
        #expect(again.count > count)
        #expect((30...66).contains(Double(again[again.count - 1].length) / Double(Self.second)))
    }

    @Test("It returns when its time is over, and is judged by what it does from then on")
    func returning() {
        let pool = Self.pool(3, with: Behaviour(failing: 1), seed: 4)
        pool.run(seconds: 2, requestsPerSecond: 100)
        #expect(pool.ejected == [0])
        pool[0].failing = 0
        pool.run(seconds: 300, requestsPerSecond: 100)
        #expect(pool.ejected.isEmpty)
        #expect(pool.events.map(\.event.change).count == 2)
        #expect(pool.events.last?.event.change == .returned)
    }

    static let ejectedMost: [(Int, Int)] = [(2, 1), (3, 1), (4, 2), (9, 4)]

    @Test("No more than the percentage are ejected together, but one always", arguments: ejectedMost)
    func most(count: Int, ejectedMax: Int) {
        var behaviours = [Behaviour](repeating: Behaviour(failing: 1), count: count)
        behaviours[count - 1] = Self.good
        let pool = OutlierSimulation(behaviours, seed: 5)
        for _ in 0..<40 {
            pool.run(seconds: 1, requestsPerSecond: 20 * count)
            #expect(pool.ejected.count <= ejectedMax)
        }
        #expect(pool.ejected.count == ejectedMax)
        #expect(!pool.isEjected(count - 1))
        if ejectedMax < count - 1 { #expect(pool.ejection.sparedCount > 0) }
    }

    @Test("The last one that can be used stays, or comes back, whatever the others do", arguments: seeds)
    func last(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var policy = OutlierPolicy()
        policy.ejectedPercentMax = 100
        // The simulation itself checks after each look that something usable is left.
        let pool = OutlierSimulation([Behaviour](repeating: Self.good, count: 4), seed: seed, policy: policy)
        for _ in 0..<200 {
            let index = random.below(4)
            pool[index] = Behaviour(
                failing: [0, 0.3, 1][random.below(3)],
                milliseconds: random.oneIn(3) ? 200 : 10,
                isUsable: !random.oneIn(3)
            )
            pool.run(seconds: 5, requestsPerSecond: 80)
        }
        #expect(pool.events.contains { if case .ejected = $0.event.change { true } else { false } })
    }

    @Test("An ejected one comes back at once where the others cannot be used any more")
    func returnedAsLast() {
        let pool = Self.pool(2, with: Behaviour(failing: 1), seed: 6)
        pool.run(seconds: 2, requestsPerSecond: 100)
        #expect(pool.ejected == [0])
        pool[1].isUsable = false
        pool.evaluate()
        #expect(pool.ejected.isEmpty)
        #expect(pool.events.last?.event == EjectionEvent(endpoint: "e0", change: .returnedAsLast))
    }

    @Test("A single endpoint is never ejected")
    func single() {
        let pool = OutlierSimulation([Behaviour(failing: 1, milliseconds: 5000)], seed: 7)
        pool.run(seconds: 100, requestsPerSecond: 100)
        #expect(pool.events.isEmpty)
    }

    @Test("One that is gone is forgotten, ejected or not")
    func forgotten() {
        var ejection = OutlierEjection()
        var random = SeededGenerator(seed: 1)
        let outcomes = EndpointOutcomes()
        let good = EndpointOutcomes()
        for _ in 0..<100 { good.note(.answered(1)) }
        func observed(_ names: [String]) -> [OutlierEjection.Observed] {
            names.map { .init(endpoint: $0, counts: $0 == "bad" ? outcomes.counts : good.counts) }
        }
        _ = ejection.evaluate(observed(["good", "bad"]), now: 0, using: &random)
        for _ in 0..<100 { good.note(.answered(1)) }
        for _ in 0..<20 { outcomes.note(.timeout) }
        _ = ejection.evaluate(observed(["good", "bad"]), now: 1, using: &random)
        #expect(ejection.isEjected("bad"))
        _ = ejection.evaluate(observed(["good"]), now: 2, using: &random)
        #expect(ejection.ejectedCount == 0)
        #expect(!ejection.isEjected("bad"))
    }

    @Test("Another policy leaves who is ejected, until the time that was set")
    func otherPolicy() {
        let pool = Self.pool(3, with: Behaviour(failing: 1), seed: 4)
        pool.run(seconds: 2, requestsPerSecond: 100)
        #expect(pool.ejected == [0])
        pool.ejection.policy.interval = 5 * Self.second
        pool.ejection.policy.consecutiveFailures = 7
        pool.run(seconds: 10, requestsPerSecond: 100)
        #expect(pool.ejected == [0])
        pool[0].failing = 0
        pool.run(seconds: 60, requestsPerSecond: 100)
        #expect(pool.ejected.isEmpty)
        #expect(pool.ejections(0).count == 1)
    }

    @Test("A shorter interval begins with the one that runs", arguments: [1, 5])
    func otherInterval(seconds: Nanoseconds) {
        var policy = OutlierPolicy()
        policy.interval = 3600 * Self.second
        policy.consecutiveFailures = 10_000
        let pool = OutlierSimulation([Self.failing, Self.good, Self.good], seed: 2, policy: policy)
        pool.run(seconds: 60, requestsPerSecond: 100)
        #expect(pool.ejected.isEmpty)
        pool.ejection.policy.interval = seconds * Self.second
        pool.run(seconds: 2, requestsPerSecond: 100)
        #expect(pool.ejected == [0])
    }

    @Test("What comes between looks is counted whole, however long the interval is")
    func longInterval() {
        var policy = OutlierPolicy()
        policy.interval = 3600 * Self.second
        var ejection = OutlierEjection(policy: policy)
        var random = SeededGenerator(seed: 1)
        // 10 million answers a second for an hour, and a failure in twenty more of one of them: an hour goes round
        // a word of 24 bits two thousand times.
        var counts = [EndpointOutcomes().counts, EndpointOutcomes().counts]
        for second in 0...3600 {
            for place in 0..<2 {
                counts[place].answers &+= 10_000_000 << 40 | 10_000_000 * (20 << 8)
                counts[place].squares &+= 10_000_000 * (20 << 8) * (20 << 8)
            }
            counts[0].serverErrors += 1_000_000
            let observed = counts.enumerated().map { OutlierEjection.Observed(endpoint: "e\($0)", counts: $1) }
            let events = ejection.evaluate(observed, now: UInt64(second) * Self.second, using: &random)
            guard second == 3600 else {
                #expect(events.isEmpty)
                continue
            }
            guard case .ejected(.failureRate(let own, let others), _) = events.first?.change else {
                Issue.record("\(events)")
                return
            }
            #expect(abs(own - 1.0 / 11) < 0.001)
            #expect(others == 0)
        }
    }

    @Test("Endpoints without an outlier stay for hours", arguments: [2, 3, 5])
    func quiet(count: Int) {
        let behaviours = [Behaviour](repeating: Behaviour(failing: 0.01, milliseconds: 30), count: count)
        let pool = OutlierSimulation(behaviours, seed: 8)
        pool.run(seconds: 8640, requestsPerSecond: 10)
        #expect(pool.events.isEmpty)
    }
}
