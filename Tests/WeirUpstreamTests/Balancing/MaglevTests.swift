// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirTestSupport
import WeirUpstream

@Suite struct MaglevTests {
    private static let places = 65_537

    /// Whose each place is: consecutive keys have consecutive places.
    private func owners(
        _ table: BalancerTable,
        excluding tried: TriedEndpoints = TriedEndpoints()
    ) -> [ObjectIdentifier] {
        let endpoints = table.entries.map { ObjectIdentifier($0.endpoint) }
        var random = WyRand(seed: 0)
        return (0..<UInt64(Self.places)).compactMap { key in
            table.pick(excluding: tried, key: key, at: 0, random: &random).map { endpoints[$0] }
        }
    }

    private func counts(_ owners: [ObjectIdentifier]) -> [ObjectIdentifier: Int] {
        owners.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    @Test(arguments: [[1], [1, 1, 1], [90, 9, 1], [3, 0, 2], (0..<100).map { 1 + $0 % 7 }])
    func `each has as many places as its weight says, to one`(weights: [Int]) {
        let table = table(.maglev, weights)
        let counts = counts(owners(table))
        let sum = Double(weights.reduce(0, +))
        for entry in table.entries {
            let wanted = Double(Self.places) * entry.weight.value / sum
            let count = counts[ObjectIdentifier(entry.endpoint)] ?? 0
            #expect(abs(Double(count) - wanted) <= (wanted > 0 ? 2 : 0), "\(count) for \(wanted)")
        }
    }

    @Test func `the least of weights has a place`() {
        let weights = [65_535, 65_535] + [Int](repeating: 1, count: 20)
        #expect(counts(owners(table(.maglev, weights))).count == weights.count)
    }

    @Test func `neither order nor process changes whose a key is`() {
        let entries = table(.maglev, [3, 1, 2, 2, 5]).entries
        let whose = owners(BalancerTable(.maglev, entries))
        #expect(owners(BalancerTable(.maglev, entries.reversed())) == whose)
        // As another process has found it.
        let first = whose.prefix(6).map { owner in entries.firstIndex { ObjectIdentifier($0.endpoint) == owner } }
        #expect(first == [3, 0, 4, 2, 3, 2])
    }

    /// How many endpoints. Measured: 0.02 %, 0.35 %, 0.58 % and 0.61 %.
    @Test(arguments: [3, 10, 100, 1000])
    func `hardly a key of the others moves when one leaves`(count: Int) {
        let entries = table(.maglev, [Int](repeating: 1, count: count)).entries
        let before = owners(BalancerTable(.maglev, entries))
        let gone = ObjectIdentifier(entries[count / 2].endpoint)
        let remaining = entries.filter { ObjectIdentifier($0.endpoint) != gone }
        let after = owners(BalancerTable(.maglev, remaining))
        let stayed = before.indices.filter { before[$0] != gone }
        let moved = stayed.count { before[$0] != after[$0] }
        #expect(Double(moved) / Double(stayed.count) < 0.01)
        #expect(!after.contains(gone))
        // The other way round it is the same: one that comes.
        #expect(owners(BalancerTable(.maglev, remaining + [entries[count / 2]])) == before)
    }

    @Test func `few keys move when a weight changes by little`() {
        let entries = table(.maglev, [10, 10, 10, 10]).entries
        let lighter = [BalancerTable.Entry(entries[0].endpoint, EffectiveWeight(9))] + entries[1...]
        let (before, after) = (owners(BalancerTable(.maglev, entries)), owners(BalancerTable(.maglev, lighter)))
        let moved = before.indices.count { before[$0] != after[$0] }
        // No less than what the lighter one gives up: 1/4 - 9/39.
        #expect(Double(moved) / Double(Self.places) > 0.019 && Double(moved) / Double(Self.places) < 0.06)
    }

    @Test func `keys of an excluded endpoint spread over the others by weight, and no other key moves`() {
        let weights = [4, 1, 2, 1]
        let table = table(.maglev, weights)
        let endpoints = table.entries.map { ObjectIdentifier($0.endpoint) }
        var orphans = [Int](repeating: 0, count: weights.count)
        var others = 0
        for (before, after) in zip(owners(table), owners(table, excluding: TriedEndpoints([0]))) {
            if before == endpoints[0] {
                orphans[endpoints.firstIndex(of: after) ?? 0] += 1
            } else if before != after {
                others += 1
            }
        }
        #expect(isPlausible(orphans, by: [0, 1, 2, 1]), "\(orphans)")
        #expect(others == 0)
    }
}
