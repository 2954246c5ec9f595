// SPDX-License-Identifier: Apache-2.0
// Tables of endpoints by weight, and what chance allows.

import Testing
import WeirUpstream

/// A table and its endpoints, all without a sample.
func table(
    _ policy: BalancingPolicy,
    _ weights: [Int],
    replacing former: BalancerTable? = nil
) -> BalancerTable {
    let entries = weights.enumerated().map { index, weight in
        BalancerTable.Entry(
            Endpoint(EndpointURL(place: .name("endpoint-\(index)", port: 8080))),
            EffectiveWeight(weight)
        )
    }
    return BalancerTable(policy, entries, replacing: former)
}

extension BalancerTable {
    /// How often each endpoint was picked, in so many picks.
    func counts(
        _ picks: Int,
        excluding tried: TriedEndpoints = TriedEndpoints(),
        at now: UInt64 = 0,
        random: inout WyRand
    ) -> [Int] {
        var counts = [Int](repeating: 0, count: entries.count)
        for key in 0..<picks {
            guard let index = pick(excluding: tried, key: UInt64(key), at: now, random: &random) else { continue }
            counts[index] += 1
        }
        return counts
    }
}

extension TriedEndpoints {
    init(_ indices: some Sequence<Int>) {
        self.init()
        for index in indices { insert(index) }
    }
}

/// Whether so many of `trials` are what chance may make of `probability`: within five standard deviations, beyond which
/// one in 1.7 million is.
func isPlausible(_ count: Int, of trials: Int, at probability: Double) -> Bool {
    let expected = Double(trials) * probability
    let deviation = (expected * (1 - probability)).squareRoot()
    return abs(Double(count) - expected) <= 5 * deviation
}

func isPlausible(_ counts: [Int], by weights: [Int]) -> Bool {
    let (trials, sum) = (counts.reduce(0, +), weights.reduce(0, +))
    return zip(counts, weights).allSatisfy { isPlausible($0, of: trials, at: Double($1) / Double(sum)) }
}
