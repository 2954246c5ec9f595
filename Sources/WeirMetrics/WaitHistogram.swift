// SPDX-License-Identifier: Apache-2.0
// `weir_queue_wait_seconds` of one shard. Written by the shard's thread only.

import Synchronization

/// How long requests waited before they ran; those that did not wait are not counted here.
package final class WaitHistogram: Sendable {
    /// The buckets, then the sum of nanoseconds. Relaxed: nothing else is published with a count.
    private let values = InlineArray<18, Atomic<UInt64>> { _ in Atomic(0) }
    private static let sumIndex = DurationBuckets.boundCount + 1

    /// Counts one request. Writer's thread only.
    package func record(nanoseconds: UInt64) {
        add(DurationBuckets.index(nanoseconds), 1)
        add(Self.sumIndex, nanoseconds)
    }

    private func add(_ index: Int, _ amount: UInt64) {
        values[index].store(values[index].load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    /// What a bucket stands at. Any thread.
    func bucket(_ index: Int) -> UInt64 { values[index].load(ordering: .relaxed) }

    var sum: UInt64 { values[Self.sumIndex].load(ordering: .relaxed) }
}
