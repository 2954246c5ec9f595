// SPDX-License-Identifier: Apache-2.0
// Which share of a queue's clients gives up: what turns the queue round, and back. Pure; guarded by the pool's mutex.

/// The last 32 outcomes while somebody waited, a bit each: given up, or answered. A share and not a number, so that a
/// client that leaves does not turn the queue in which others wait.
struct GiveUpShare {
    /// Newest first, once so many of the 32 were given up: a half.
    static let turningMin = 16
    /// Arrival again, once fewer than so many were: an eighth. In newest-first the surplus of an overload goes on giving
    /// up, so this is the overload below which it is not worth turning round (measured: docs/overload.md).
    static let keepingMin = 4

    private(set) var order = QueueOrder.arrival
    /// The latest in the lowest bit; 1 is given up. Those before the first count as answered.
    private(set) var outcomes: UInt32 = 0

    mutating func record(isGivenUp: Bool) {
        outcomes = outcomes << 1 | (isGivenUp ? 1 : 0)
        let givenUp = outcomes.nonzeroBitCount
        if givenUp >= Self.turningMin { order = .newest }
        if givenUp < Self.keepingMin { order = .arrival }
    }
}
