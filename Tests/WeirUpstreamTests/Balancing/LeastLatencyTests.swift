// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirTestSupport
import WeirUpstream

@Suite struct LeastLatencyTests {
    /// What is asked of the choice, as plainly as it can be written.
    private struct Side {
        let weight, requests: Int
        let milliseconds: Double

        func cost(newRequestAt weight: Int) -> Double {
            milliseconds * (Double(requests) / Double(self.weight) + 1 / Double(weight))
        }

        func stays(besides other: Side) -> Bool {
            let (heavier, lighter) = (max(weight, other.weight), min(weight, other.weight))
            return cost(newRequestAt: heavier) <= other.cost(newRequestAt: lighter) * (1 + 1e-12)
        }
    }

    @Test(arguments: 1...200)
    func `of two, the first drawn stays unless the other will answer sooner`(seed: Int) {
        var choices = SeededGenerator(seed: UInt64(seed))
        let sides = (0..<2).map { _ in
            Side(
                weight: 1 + choices.below(choices.oneIn(2) ? 1 : 10),
                requests: choices.below(6),
                milliseconds: Double(1 + choices.below(choices.oneIn(2) ? 2 : 50))
            )
        }
        let table = table(.leastLatency, sides.map(\.weight))
        for (entry, side) in zip(table.entries, sides) {
            entry.endpoint.load.note(UInt64(side.milliseconds) * 1_000_000, at: 1)
            for _ in 0..<side.requests { entry.endpoint.load.begin() }
        }
        var random = WyRand(seed: UInt64(seed))
        let counts = table.counts(2000, at: 1, random: &random)
        let share = Double(sides[0].weight) / Double(sides[0].weight + sides[1].weight)
        let expected =
            (sides[0].stays(besides: sides[1]) ? share : 0) + (sides[1].stays(besides: sides[0]) ? 0 : 1 - share)
        #expect(isPlausible(counts[0], of: 2000, at: expected), "seed \(seed): \(sides), \(counts)")
    }

    @Test func `with equal weights it is the plain comparison of costs`() {
        let table = table(.leastLatency, [3, 3])
        let loads = table.entries.map(\.endpoint)
        loads[0].load.note(10_000_000, at: 0)
        loads[1].load.note(21_000_000, at: 0)
        var random = WyRand(seed: 1)
        #expect(table.counts(100, random: &random) == [100, 0])
        loads[0].load.begin()
        #expect(table.counts(100, random: &random) == [100, 0], "20 beside 21")
        loads[0].load.begin()
        #expect(table.counts(100, random: &random) == [0, 100], "30 beside 21")
    }

    /// With two of the same the slow one would be picked where it is drawn twice.
    @Test(arguments: 0..<4)
    func `the two that are drawn are never the same`(slow: Int) {
        let table = table(.leastLatency, [50, 30, 15, 5])
        for (index, entry) in table.entries.enumerated() {
            entry.endpoint.load.note(index == slow ? 10_000_000_000 : 1_000_000, at: 0)
        }
        var random = WyRand(seed: 1)
        #expect(table.counts(20_000, random: &random)[slow] == 0)
    }

    @Test func `of two the faster is not picked where it is excluded`() {
        let table = table(.leastLatency, [1, 1])
        table.entries[0].endpoint.load.note(1_000_000, at: 0)
        table.entries[1].endpoint.load.note(9_000_000, at: 0)
        var random = WyRand(seed: 1)
        #expect(table.counts(100, excluding: TriedEndpoints([0]), random: &random) == [0, 100])
    }

    @Test func `a slow one is not picked where nearly all draws meet an excluded one`() {
        let table = table(.leastLatency, [1, 60_000, 1])
        for (entry, milliseconds) in zip(table.entries, [2, 5, 1] as [UInt64]) {
            entry.endpoint.load.note(milliseconds * 1_000_000, at: 0)
        }
        var random = WyRand(seed: 1)
        #expect(table.counts(5000, excluding: TriedEndpoints([1]), random: &random) == [0, 0, 5000])
    }

    /// Requests that take equally long, as many at once as are given.
    @Test(arguments: [[1, 1], [2, 1], [9, 1], [10, 10, 1], [1, 2, 3, 4]], [1, 2, 4, 8, 16, 32, 64])
    func `shares stay by weight under any number of requests`(weights: [Int], concurrency: Int) {
        let table = table(.leastLatency, weights)
        for entry in table.entries { entry.endpoint.load.note(1_000_000, at: 0) }
        var random = WyRand(seed: 7)
        var running: [Int] = []
        var counts = [Int](repeating: 0, count: weights.count)
        for _ in 0..<40_000 {
            if running.count == concurrency {
                let ended = running.remove(at: Int.random(in: 0..<concurrency, using: &random))
                table.entries[ended].endpoint.load.end()
            }
            guard let picked = table.pick(at: 0, random: &random) else { continue }
            table.entries[picked].endpoint.load.begin()
            running.append(picked)
            counts[picked] += 1
        }
        for (count, weight) in zip(counts, weights) {
            let ratio = Double(count) / 40_000 / Double(weight) * Double(weights.reduce(0, +))
            #expect(ratio > 0.7 && ratio < 1.35, "\(counts)")
        }
    }
}
