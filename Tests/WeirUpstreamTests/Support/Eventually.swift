// SPDX-License-Identifier: Apache-2.0
// Waiting for what the kernel or another thread does: for a condition, never for a time. The bound only ends a test
// that has failed.

import Glibc
import Testing
import WeirEventLoop

private let patience: Nanoseconds = 30_000_000_000

/// Waits until `condition` holds; records an issue if it does not within half a minute.
func eventually(
    _ what: Comment,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () -> Bool
) {
    let end = LoopClock.monotonic.now + patience
    while !condition() {
        if LoopClock.monotonic.now > end {
            Issue.record(what, sourceLocation: sourceLocation)
            return
        }
        usleep(200)
    }
}
