// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirTestSupport
import WeirUpstream

@Suite struct WeightedSplitTests {
    @Test(arguments: [[90, 9, 1], [1, 1], [100, 0], [0, 1_000_000, 1], [Int](repeating: 1_000_000, count: 64)])
    func `a million requests are divided as chance allows`(weights: [Int]) {
        let split = WeightedSplit(weights)
        var random = WyRand(seed: 42)
        var counts = [Int](repeating: 0, count: weights.count)
        for _ in 0..<1_000_000 { counts[split.destination(random: &random)] += 1 }
        #expect(isPlausible(counts, by: weights), "\(counts)")
    }

    @Test(arguments: 1...20)
    func `over evenly spaced numbers shares are exact, and a weight of 0 gets nothing`(seed: Int) {
        var choices = SeededGenerator(seed: UInt64(seed))
        let weights = [1] + (0..<choices.below(64)).map { _ in choices.oneIn(3) ? 0 : choices.below(300) }
        let split = WeightedSplit(weights)
        let sum = weights.reduce(0, +)
        var counts = [Int](repeating: 0, count: weights.count)
        for part in 0..<sum {
            let number = UInt64((Double(part) + 0.5) / Double(sum) * 0x1p64)
            counts[split.destination(of: number)] += 1
        }
        #expect(counts == weights, "seed \(seed)")
    }

    @Test(arguments: [[0, 0, 5], [5, 0, 0], [0, 5, 0], [1]])
    func `the least and the greatest number have a destination`(weights: [Int]) {
        let split = WeightedSplit(weights)
        for number in [0, 1, .max / 2, .max - 1, .max] as [UInt64] {
            #expect(weights[split.destination(of: number)] > 0)
        }
    }

    @Test func `a key moves only where a boundary passes it`() {
        let (before, after) = (WeightedSplit([90, 10]), WeightedSplit([80, 20]))
        var random = WyRand(seed: 1)
        var moved = 0
        for _ in 0..<100_000 {
            let key = random.next()
            let (old, new) = (before.destination(of: key), after.destination(of: key))
            #expect(old <= new, "nobody goes back")
            if old != new { moved += 1 }
        }
        #expect(isPlausible(moved, of: 100_000, at: 0.1))
    }

    @Test func `it takes up no more than its limits say`() async {
        await #expect(processExitsWith: .failure) { _ = WeightedSplit([]) }
        await #expect(processExitsWith: .failure) { _ = WeightedSplit([0, 0]) }
        await #expect(processExitsWith: .failure) { _ = WeightedSplit([1_000_001]) }
        await #expect(processExitsWith: .failure) { _ = WeightedSplit([Int](repeating: 1, count: 65)) }
    }
}
