// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirTestSupport
import WeirUpstream

@Suite struct AliasTableTests {
    @Test(arguments: [
        [1], [1, 1], [90, 9, 1], [1, 65_535], [7, 7, 7, 7, 1], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        [Int](repeating: 3, count: 300) + [65_535],
    ])
    func `shares are as the weights say`(weights: [Int]) {
        check(weights, seed: 1)
    }

    @Test(arguments: 1...30)
    func `shares are as random weights say`(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let most = [2, 10, 1000, 65_535][random.below(4)]
        check((0..<(1 + random.below(40))).map { _ in 1 + random.below(most) }, seed: seed)
    }

    private func check(_ weights: [Int], seed: Int) {
        let table = AliasTable(weights.indices.map { UInt16($0) }, weights: weights.map { EffectiveWeight($0) })
        var random = WyRand(seed: UInt64(seed))
        var counts = [Int](repeating: 0, count: weights.count)
        for _ in 0..<200_000 { counts[table.draw(random.next())] += 1 }
        #expect(isPlausible(counts, by: weights), "seed \(seed): \(weights) became \(counts)")
    }

    @Test func `what is not among the indices is never drawn`() {
        let table = AliasTable([1, 3], weights: [9, 1, 9, 3].map { EffectiveWeight($0) })
        var random = WyRand(seed: 5)
        var counts = [0, 0, 0, 0]
        for _ in 0..<100_000 { counts[table.draw(random.next())] += 1 }
        #expect(isPlausible(counts, by: [0, 1, 0, 3]))
    }

    /// Shares are whole parts of a grid over all numbers: nothing is left to chance.
    @Test(arguments: [[1, 3], [5, 2, 1], [1, 1, 2, 4, 8]])
    func `over evenly spaced numbers shares are exact`(weights: [Int]) {
        let table = AliasTable(weights.indices.map { UInt16($0) }, weights: weights.map { EffectiveWeight($0) })
        let (sum, rows) = (weights.reduce(0, +), 1024)
        var counts = [Int](repeating: 0, count: weights.count)
        for column in weights.indices {
            // The middle of the column in the upper half, in the lower half all of it.
            let upper = UInt64((Double(column) + 0.5) / Double(weights.count) * 0x1p32)
            for row in 0..<(rows * sum) {
                let lower = UInt64((Double(row) + 0.5) / Double(rows * sum) * 0x1p32)
                counts[table.draw(upper << 32 | lower)] += 1
            }
        }
        #expect(counts == weights.map { $0 * rows * weights.count })
    }
}
