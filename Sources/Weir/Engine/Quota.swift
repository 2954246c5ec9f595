// SPDX-License-Identifier: Apache-2.0
// How many of something there may be at once, over all loops.

import Synchronization

/// A counter with a bound. Relaxed: it publishes nothing.
final class Quota: Sendable {
    let max: Int
    private let count = Atomic<Int>(0)

    init(max: Int) {
        self.max = max
    }

    /// Counts one more, unless there are as many as may be.
    func enter() -> Bool {
        if count.wrappingAdd(1, ordering: .relaxed).oldValue < max { return true }
        leave()
        return false
    }

    func leave() {
        count.wrappingSubtract(1, ordering: .relaxed)
    }

    var present: Int { count.load(ordering: .relaxed) }
}
