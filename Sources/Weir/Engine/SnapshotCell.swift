// SPDX-License-Identifier: Apache-2.0
// Where the present snapshot is published, and where each loop picks it up between two events.

import Synchronization

/// The present snapshot. A loop compares versions once per turn (one relaxed load) and takes the mutex only after a
/// change; a request keeps what it started with.
package final class SnapshotCell: Sendable {
    private let version: Atomic<UInt64>
    private let present: Mutex<Snapshot>

    package init(_ snapshot: Snapshot) {
        version = Atomic(snapshot.version)
        present = Mutex(snapshot)
    }

    /// The version that is published; pairs with the release in `publish` through the mutex in `snapshot`.
    package var publishedVersion: UInt64 { version.load(ordering: .acquiring) }

    package var snapshot: Snapshot { present.withLock { $0 } }

    /// Publishes `next` if `expected` is still the present version; one compare-and-swap decides between two who try.
    /// - Parameter next: with a version of its own, higher than `expected`; loops tell snapshots apart by it.
    package func publish(_ next: Snapshot, replacing expected: UInt64) -> Bool {
        precondition(next.version > expected, "a snapshot that loops would not tell from the present one")
        return present.withLock { present in
            let (exchanged, _) = version.compareExchange(
                expected: expected,
                desired: next.version,
                ordering: .acquiringAndReleasing
            )
            if exchanged { present = next }
            return exchanged
        }
    }
}
