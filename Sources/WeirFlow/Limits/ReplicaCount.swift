// SPDX-License-Identifier: Apache-2.0
// By how many a limit of the whole cluster is divided where the replicas share no store. A value: whoever observes the
// replicas owns it, and publishes what it answers.

/// How many replicas share a limit: rises at once, and falls when no higher number was seen for 30 seconds.
///
/// A replica that is counted too long makes the others' shares too small for a moment; one that is not counted lets the
/// cluster through more than its limit. A pod that is replaced is gone for a moment and back.
package struct ReplicaCount: Sendable {
    /// For how long a number that is no longer seen still counts.
    package static let fallNanoseconds: Nanoseconds = 30_000_000_000

    private var divisor: Int
    private var latest: Int
    /// While `latest` is below `divisor`: the highest number since `divisor` was last seen, and when it takes effect.
    private var successor: Int
    private var fallsAt: Nanoseconds = .max

    /// - Parameter observed: the number now; below 1 counts as 1, because the one who asks is alive.
    package init(_ observed: Int = 1) {
        latest = max(1, observed)
        divisor = latest
        successor = latest
    }

    /// Takes what a provider sees now.
    package mutating func observe(_ observed: Int, at now: Nanoseconds) {
        fall(at: now)
        let isLevel = latest == divisor
        latest = max(1, observed)
        if latest >= divisor {
            divisor = latest
        } else if isLevel {
            successor = latest
            fallsAt = now &+ Self.fallNanoseconds
        } else {
            successor = max(successor, latest)
        }
    }

    /// The number to divide by, at least 1.
    package mutating func count(at now: Nanoseconds) -> Int {
        fall(at: now)
        return divisor
    }

    private mutating func fall(at now: Nanoseconds) {
        while latest < divisor, now >= fallsAt {
            divisor = successor
            successor = latest
            // What was seen between `successor` and `latest` was gone by now at the latest.
            fallsAt &+= Self.fallNanoseconds
        }
    }
}
