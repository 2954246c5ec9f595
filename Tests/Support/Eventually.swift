// SPDX-License-Identifier: Apache-2.0
// Waiting for what other threads do: for a condition, never for a time. The bound only ends a test that has failed.

import Glibc
package import Testing

private let patience: Duration = .seconds(30)

/// Waits until `condition` holds; records an issue if it does not within half a minute.
package func eventually(
    _ what: Comment,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () -> Bool
) {
    let end = ContinuousClock.now.advanced(by: patience)
    while !condition() {
        if ContinuousClock.now > end {
            Issue.record(what, sourceLocation: sourceLocation)
            return
        }
        usleep(200)
    }
}
