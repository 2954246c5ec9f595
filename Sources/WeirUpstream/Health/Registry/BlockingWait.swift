// SPDX-License-Identifier: Apache-2.0
// For how long a query waits for a change. Pure.

/// Consul's bounds of `wait`.
package enum BlockingWait {
    package static let timeDefault: Duration = .seconds(300)
    package static let timeMax: Duration = .seconds(600)
    /// Up to one part in so many is added at random, so that clients that were woken together do not time out together.
    package static let jitterFraction = 16
    /// The longest of all.
    package static let longest = timeMax + timeMax / jitterFraction

    /// - Parameter requested: what the client said; zero for nothing.
    package static func time(_ requested: Duration, using random: inout some RandomNumberGenerator) -> Duration {
        let time = requested > .zero ? min(requested, timeMax) : timeDefault
        let jitterMax = Int64((time / jitterFraction) / .nanoseconds(1))
        return time + .nanoseconds(Int64.random(in: 0...max(0, jitterMax), using: &random))
    }
}
