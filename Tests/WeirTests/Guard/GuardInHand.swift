// SPDX-License-Identifier: Apache-2.0
// The guard of an app under test, with windows that a test ends: long ones, so that the app's own thread ends none.

import WeirFlow
import WeirTestSupport

/// The longest window that the file may say, as the tests' files have it.
private let window: Nanoseconds = 600_000_000_000

struct GuardInHand {
    let routeGuard: RouteGuard
    // Beyond the machine's clock: the app's own thread has begun a window there, and sees no end of it.
    private var now: Nanoseconds = 1 << 62
    private var random = SeededGenerator(seed: 1)

    init(_ routeGuard: RouteGuard) {
        self.routeGuard = routeGuard
        endWindow()
    }

    @discardableResult
    mutating func endWindow() -> GuardTransition? {
        now += window
        return routeGuard.look(now: now, memoryBytes: { nil }, using: &random)
    }

    /// Windows of 40 requests that took so long.
    mutating func windows(_ count: Int, milliseconds: UInt64) {
        for _ in 0..<count {
            for _ in 0..<40 { routeGuard.record(loop: 0, latency: milliseconds * 1_000_000, queue: 0) }
            endWindow()
        }
    }

    /// Learns what is usual, and degrades the route.
    mutating func degrade() {
        windows(22, milliseconds: 10)
        windows(3, milliseconds: 100)
    }

    mutating func recover() { windows(3, milliseconds: 10) }
}
