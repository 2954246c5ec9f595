// SPDX-License-Identifier: Apache-2.0
// Works out the round of a weighted round robin. Pure; off the hot path.

/// A round in which each endpoint comes as often as its weight says, spread evenly.
///
/// The turns of an endpoint with the share 1/n lie in windows of n turns, one in each. Of those whose window has begun,
/// the one whose window ends first is next (worst-case fair weighted fair queueing, WF²Q: Bennett and Zhang, 1996). So
/// nobody is ever a whole turn ahead, nor two behind, whatever the weights are. nginx's smooth round robin, which always
/// takes the one that is owed most, looks at every endpoint for every turn; this takes the logarithm of their number.
package enum RoundRobinSchedule {
    /// How long a round may be, before its rounding is too coarse to be seen.
    package static let turnsMax = 4096
    /// In a large table an endpoint of mean weight still has so many turns, and so its share to less than a percent.
    package static let turnsPerEndpoint = 64

    /// The indices of `weights` in their order.
    ///
    /// **Rounding.** Weights are divided by what they have in common. If their sum is then at most `turnsMax`, or
    /// `turnsPerEndpoint` times their number, the round is exact. Otherwise it has so many turns, each share less than one
    /// turn from what it would be (largest remainders); one that would have less than a turn has one.
    ///
    /// - Precondition: some weight is above 0, none below.
    package static func turns(_ weights: [Int]) -> [UInt16] {
        spread(shares(weights))
    }

    private static func shares(_ weights: [Int]) -> [Int] {
        let divisor = weights.reduce(0) { greatestCommonDivisor($0, $1) }
        precondition(divisor > 0, "some endpoint has a weight")
        let parts = weights.map { $0 / divisor }
        let sum = parts.reduce(0, +)
        let turns = max(turnsMax, turnsPerEndpoint * weights.count { $0 > 0 })
        guard sum > turns else { return parts }
        var shares = parts.map { $0 > 0 ? max(1, $0 * turns / sum) : 0 }
        let left = turns - shares.reduce(0, +)
        guard left > 0 else { return shares }
        let byRemainder = parts.indices.filter { parts[$0] * turns >= sum }
            .sorted { (parts[$0] * turns % sum, $1) > (parts[$1] * turns % sum, $0) }
        for index in byRemainder.prefix(left) { shares[index] += 1 }
        return shares
    }

    private static func spread(_ shares: [Int]) -> [UInt16] {
        let total = shares.reduce(0, +)
        var open = EarliestFirst()
        for (index, share) in shares.enumerated() where share > 0 {
            open.insert(UInt16(index), at: windowEnd(0, share))
        }
        var taken = [Int](repeating: 0, count: shares.count)
        // By turn: whose windows begin with it, a list by endpoint. An endpoint has one window at a time.
        let none = UInt16.max
        var beginning = [UInt16](repeating: none, count: total)
        var following = [UInt16](repeating: none, count: shares.count)
        return (0..<total).map { turn in
            var index = beginning[turn]
            while index != none {
                open.insert(index, at: windowEnd(taken[Int(index)], shares[Int(index)]))
                index = following[Int(index)]
            }
            // After any number of turns not everybody is ahead, and whoever is not has an open window.
            let next = open.removeEarliest()
            taken[Int(next)] += 1
            let share = shares[Int(next)]
            let begin = (taken[Int(next)] * total + share - 1) / share
            if begin < total {
                following[Int(next)] = beginning[begin]
                beginning[begin] = next
            }
            return next
        }
    }

    /// In fractions of a round, of which there are 2⁴⁰: exact enough to order windows of this many turns.
    private static func windowEnd(_ taken: Int, _ share: Int) -> Int { ((taken + 1) << 40) / share }

    private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
        b == 0 ? a : greatestCommonDivisor(b, a % b)
    }
}
