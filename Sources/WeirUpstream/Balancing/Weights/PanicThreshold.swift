// SPDX-License-Identifier: Apache-2.0
// When so few endpoints are healthy that the checks are believed no more. Pure.

package import WeirEventLoop

/// Envoy's panic threshold: with fewer healthy endpoints than this the few would be overrun by what was meant for all,
/// and it is as likely that the checks are wrong. So all are used again.
package struct PanicThreshold: Sendable, Equatable {
    package static let percentDefault = 50

    /// In percent of the endpoints, by count; 0 for never.
    package let percent: Int

    package init(percent: Int = percentDefault) {
        precondition((0...100).contains(percent), "a share is from 0 to 100 percent")
        self.percent = percent
    }

    /// Whether so many healthy ones are too few.
    package func isPanicking(healthy: Int, of count: Int) -> Bool { healthy * 100 < count * percent }

    /// The weights to balance by, and whether they are those of a panic: then each is what was configured. Endpoints that
    /// were configured to get nothing count on neither side, and still get nothing.
    package func weights(
        of standings: [EndpointStanding],
        at now: Nanoseconds
    ) -> (weights: [EffectiveWeight], isPanicking: Bool) {
        let count = standings.count { $0.configuredShare > .zero }
        let healthy = standings.count { $0.configuredShare > .zero && $0.isHealthy }
        guard isPanicking(healthy: healthy, of: count) else { return (standings.map { $0.weight(at: now) }, false) }
        return (standings.map(\.configuredShare), true)
    }
}
