// SPDX-License-Identifier: Apache-2.0
// How many of something there may be at once, over all loops.

import Synchronization

/// A counter with a bound. Relaxed: it publishes nothing.
package final class Quota: Sendable {
    package let max: Int
    private let count = Atomic<Int>(0)

    package init(max: Int) {
        self.max = max
    }

    /// Counts one more, unless there are as many as may be.
    package func enter() -> Bool {
        if count.wrappingAdd(1, ordering: .relaxed).oldValue < max { return true }
        leave()
        return false
    }

    package func leave() {
        count.wrappingSubtract(1, ordering: .relaxed)
    }

    package var present: Int { count.load(ordering: .relaxed) }
}
