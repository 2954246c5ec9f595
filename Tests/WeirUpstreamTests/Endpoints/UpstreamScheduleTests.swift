// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirTestSupport
import WeirUpstream

@Suite struct UpstreamScheduleTests {
    @Test(arguments: [
        ([1], [0]),
        ([7], [0]),
        ([1, 1, 1], [0, 1, 2]),
        ([2, 1], [0, 1, 0]),
        ([5, 1, 1], [0, 0, 1, 0, 2, 0, 0]),
        ([6, 4, 2], [0, 1, 0, 2, 1, 0]),
        ([65_535, 65_535], [0, 1]),
    ])
    func `turns are spread as evenly as weights allow`(weights: [Int], turns: [UInt16]) {
        #expect(EndpointSet.schedule(weights) == turns)
    }

    @Test(arguments: 1...40)
    func `each has exactly its share, and is never ahead of it by a turn`(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let weights = (0..<(1 + random.below(12))).map { _ in 1 + random.below(random.oneIn(3) ? 300 : 5) }
        let turns = EndpointSet.schedule(weights)
        let sum = weights.reduce(0, +)
        #expect(sum.isMultiple(of: turns.count))
        var counts = [Int](repeating: 0, count: weights.count)
        for (number, endpoint) in turns.enumerated() {
            counts[Int(endpoint)] += 1
            let share = Double(number + 1) * Double(weights[Int(endpoint)]) / Double(sum)
            #expect(Double(counts[Int(endpoint)]) < share + 1, "seed \(seed), turn \(number)")
        }
        #expect(counts == weights.map { $0 * turns.count / sum }, "seed \(seed)")
    }

    @Test(arguments: [
        [65_535, 1],
        [65_535, 65_534, 1],
        [Int](repeating: 65_535, count: 255) + [1],
        [4096, 1],
        [1] + [Int](repeating: 999, count: 100),
    ])
    func `large weights are scaled down, and nobody is left out`(weights: [Int]) {
        let turns = EndpointSet.schedule(weights)
        // Each that would have less than a turn has one.
        #expect(turns.count <= 4096 + weights.count)
        let sum = Double(weights.reduce(0, +))
        for (index, weight) in weights.enumerated() {
            let count = turns.count { $0 == UInt16(index) }
            #expect(count >= 1)
            let wanted = Double(weight) / sum * 4096
            #expect(abs(Double(count) - max(1, wanted)) <= 1, "endpoint \(index)")
        }
    }

    @Test func `a weight above the bound is kept exactly while the shares are small`() {
        let turns = EndpointSet.schedule([60_000, 20_000])
        #expect(turns == [0, 0, 1, 0] || turns == [0, 1, 0, 0], "three to one")
    }
}
