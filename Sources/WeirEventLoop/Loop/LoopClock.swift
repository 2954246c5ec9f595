// SPDX-License-Identifier: Apache-2.0
// Time as a parameter: a loop asks its clock once per turn, and tests hand it a clock that they turn by hand.

import Glibc
import Synchronization

/// Nanoseconds of monotonic time.
@usableFromInline package typealias Nanoseconds = UInt64

/// Where a loop takes its time from.
package enum LoopClock: Sendable {
    /// `CLOCK_MONOTONIC`.
    case monotonic
    /// A clock that stands still until it is told to move.
    case manual(ManualClock)

    /// The present instant; costs one vDSO call (about 20 ns) for the monotonic clock.
    package var now: Nanoseconds {
        switch self {
        case .monotonic:
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            return Nanoseconds(time.tv_sec) &* 1_000_000_000 &+ Nanoseconds(time.tv_nsec)
        case .manual(let clock):
            return clock.now
        }
    }
}

/// A clock for tests: it moves only by `advance`.
package final class ManualClock: Sendable {
    private let instant: Atomic<UInt64>

    package init(now: Nanoseconds = 1_000_000_000) {
        instant = Atomic(now)
    }

    package var now: Nanoseconds { instant.load(ordering: .acquiring) }

    /// Moves the clock on; pairs with the acquire in `now`.
    package func advance(by nanoseconds: Nanoseconds) {
        instant.wrappingAdd(nanoseconds, ordering: .releasing)
    }
}

extension Duration {
    /// This duration in whole nanoseconds; negative ones are zero, those beyond 292 years are cut to that.
    package var nanosecondsClamped: Nanoseconds {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < 9_223_372_036 else { return Nanoseconds(Int64.max) }
        return Nanoseconds(seconds) * 1_000_000_000 + Nanoseconds(attoseconds / 1_000_000_000)
    }
}
