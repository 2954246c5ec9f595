// SPDX-License-Identifier: Apache-2.0
// For how long a query waits for a change. Pure.

package import WeirEventLoop

/// Consul's bounds of `wait`.
package enum BlockingWait {
    package static let nanosecondsDefault: Nanoseconds = 300_000_000_000
    package static let nanosecondsMax: Nanoseconds = 600_000_000_000
    /// Up to one part in so many is added at random, so that clients that were woken together do not time out together.
    package static let jitterFraction: Nanoseconds = 16
    /// The longest of all.
    package static let longest = nanosecondsMax + nanosecondsMax / jitterFraction

    /// - Parameter requested: what the client said; 0 for nothing.
    package static func nanoseconds(
        _ requested: Nanoseconds,
        using random: inout some RandomNumberGenerator
    ) -> Nanoseconds {
        let time = requested > 0 ? min(requested, nanosecondsMax) : nanosecondsDefault
        return time + .random(in: 0...time / jitterFraction, using: &random)
    }
}
