// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirTestSupport
import WeirUpstream

@Suite struct RoundRobinScheduleTests {
    @Test(arguments: [
        ([1], [0]),
        ([7], [0]),
        ([0, 7], [1]),
        ([1, 1, 1], [0, 1, 2]),
        ([2, 1], [0, 1, 0]),
        ([5, 1, 1], [0, 1, 0, 0, 2, 0, 0]),
        ([6, 0, 4, 2], [0, 2, 0, 2, 0, 3]),
        ([65_535, 65_535], [0, 1]),
        ([3, 1, 1, 1], [0, 1, 0, 2, 0, 3]),
    ])
    func `turns are spread as evenly as weights allow`(weights: [Int], turns: [UInt16]) {
        #expect(RoundRobinSchedule.turns(weights) == turns)
    }

    @Test(arguments: 1...60)
    func `each has exactly its share, is never ahead by a turn, nor behind by two`(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let weights = [1] + (0..<random.below(60)).map { _ in random.below(random.oneIn(4) ? 300 : 4) }
        let turns = RoundRobinSchedule.turns(weights)
        let sum = weights.reduce(0, +)
        guard sum <= RoundRobinSchedule.turnsMax else { return }
        var counts = [Int](repeating: 0, count: weights.count)
        for (number, endpoint) in turns.enumerated() {
            counts[Int(endpoint)] += 1
            for (index, weight) in weights.enumerated() {
                let share = Double(number + 1) * Double(weight) / Double(sum)
                #expect(Double(counts[index]) < share + 1 && Double(counts[index]) > share - 2, "\(seed), \(number)")
            }
        }
        #expect(counts == weights.map { $0 * turns.count / sum }, "seed \(seed)")
    }

    @Test(arguments: [
        [65_535, 1],
        [65_535, 65_534, 1],
        [Int](repeating: 65_535, count: 255) + [1],
        [4096, 1],
        [1] + [Int](repeating: 999, count: 100),
        (0..<1000).map { 40_000 + $0 * 13 },
    ])
    func `large weights are scaled down, and nobody is left out`(weights: [Int]) {
        let turns = RoundRobinSchedule.turns(weights)
        let bound = max(RoundRobinSchedule.turnsMax, RoundRobinSchedule.turnsPerEndpoint * weights.count)
        // Each that would have less than a turn has one.
        #expect(turns.count >= bound && turns.count <= bound + weights.count)
        let sum = Double(weights.reduce(0, +))
        var counts = [Int](repeating: 0, count: weights.count)
        for turn in turns { counts[Int(turn)] += 1 }
        for (count, weight) in zip(counts, weights) {
            let wanted = Double(weight) / sum * Double(bound)
            #expect(abs(Double(count) - max(1, wanted)) < 1)
        }
    }

    @Test func `a thousand endpoints with weights of a large divisor have a short round`() {
        let weights = (0..<1000).map { 1024 * (1 + $0 % 3) }
        let turns = RoundRobinSchedule.turns(weights)
        #expect(turns.count == weights.reduce(0, +) / 1024)
    }

    @Test func `a weight above the bound is kept exactly while the shares are small`() {
        #expect(RoundRobinSchedule.turns([60_000, 20_000]) == [0, 1, 0, 0], "three to one")
    }
}
