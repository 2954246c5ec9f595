// SPDX-License-Identifier: Apache-2.0
// When a name is looked up again. A value.

package import WeirEventLoop

/// After an answer, when it may no longer be used; after a failure or a no, with back-off.
package struct RefreshSchedule: Sendable {
    /// A server may say 0, and so bring about a question without end; or a week, and hide a change for as long.
    package static let timeToLiveMin: Nanoseconds = 1_000_000_000
    package static let timeToLiveMax: Nanoseconds = 300_000_000_000
    package static let firstRetry: Nanoseconds = 1_000_000_000
    package static let longestRetry: Nanoseconds = 30_000_000_000

    private var backoff = Backoff(from: Self.firstRetry, to: Self.longestRetry)

    package init() {}

    package mutating func wait(afterAnswer timeToLive: UInt32) -> Nanoseconds {
        backoff.reset()
        return min(max(Nanoseconds(timeToLive) * 1_000_000_000, Self.timeToLiveMin), Self.timeToLiveMax)
    }

    package mutating func waitAfterFailure(using random: inout some RandomNumberGenerator) -> Nanoseconds {
        backoff.next(using: &random)
    }
}
