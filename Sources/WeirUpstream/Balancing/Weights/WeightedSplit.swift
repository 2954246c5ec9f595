// SPDX-License-Identifier: Apache-2.0
// Divides a route's requests between destinations: canary, blue-green. Immutable, part of the route's snapshot.

/// Destinations by weight: a number picks the one in whose part of the sum it falls.
///
/// With random numbers the shares are exact but for 1 in 2³⁷. With the hash of a client's key as the number, a client
/// stays where it is, and a change of weights moves no more than the boundaries move: from 90:10 to 80:20, a tenth.
package struct WeightedSplit: Sendable {
    package static let destinationsMax = 64
    package static let weightMax = 1_000_000

    /// By destination: the sum of the weights up to it and with it.
    private var bounds = InlineArray<64, UInt32>(repeating: 0)
    private let count: Int
    private let sum: UInt64

    /// - Precondition: 1 to 64 weights from 0 to 1,000,000, not all of them 0.
    package init(_ weights: [Int]) {
        precondition((1...Self.destinationsMax).contains(weights.count), "a split has 1 to 64 destinations")
        var sum: UInt32 = 0
        for (index, weight) in weights.enumerated() {
            precondition((0...Self.weightMax).contains(weight), "a weight is from 0 to 1,000,000")
            sum += UInt32(weight)
            bounds[index] = sum
        }
        precondition(sum > 0, "some destination has a weight")
        count = weights.count
        self.sum = UInt64(sum)
    }

    /// The destination of a number, which is random or a hash: its upper bits decide.
    package func destination(of number: UInt64) -> Int {
        let position = UInt32(number.multipliedFullWidth(by: sum).high)
        var index = 0
        // The last bound is the sum, which no position reaches.
        while position >= bounds[index] { index &+= 1 }
        return index
    }

    package func destination(random: inout WyRand) -> Int { destination(of: random.next()) }
}
