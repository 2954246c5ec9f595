// SPDX-License-Identifier: Apache-2.0
// What an endpoint's share is made of: its configured weight, its health, its recovery, its back-pressure. Pure.

package import WeirEventLoop

/// A share beside those of others, in parts of 1024 of a weight. 0 gets nothing.
package struct EffectiveWeight: Sendable, Equatable, Comparable {
    package static let unitsPerWeight = 1024
    /// As the weight that a setting can name; what is above it counts as it.
    package static let weightMax = EndpointURL.weightMax
    package static let zero = EffectiveWeight(0)

    package let units: UInt32

    /// A plain weight.
    package init(_ weight: Int) {
        self.init(Double(weight))
    }

    /// Rounded to a unit; what is above 0 does not become 0.
    package init(_ weight: Double) {
        precondition(weight >= 0, "a weight is 0 or more")
        let capped = min(weight, Double(Self.weightMax)) * Double(Self.unitsPerWeight)
        units = capped > 0 ? UInt32(max(1, capped.rounded())) : 0
    }

    package var value: Double { Double(units) / Double(Self.unitsPerWeight) }

    package static func < (one: Self, other: Self) -> Bool { one.units < other.units }
}

/// The share that an endpoint was given where it was listed.
package struct ConfiguredWeight: Sendable, Equatable {
    package let passing: Int
    /// Where its source says what it gets while it warns, as Consul does, the source's weights hold as they are; else
    /// those of the upstream multiply the one.
    package let warning: Int?

    package init(_ passing: Int, warning: Int? = nil) {
        self.passing = passing
        self.warning = warning
    }
}

/// What is known of an endpoint when weights are worked out.
package struct EndpointStanding: Sendable {
    package enum Health: Sendable {
        case passing
        case warning
        /// Failing, ejected, or behind an open breaker: gets nothing.
        case critical
    }

    /// What is left of a weight at the beginning of the slow start. From nothing there would be no request to warm up by.
    package static let slowStartFloor = 0.1

    package var configuredWeight: Int
    package var health = Health.passing
    /// Consul's `Weights`, with its defaults: a warning alone takes nothing away.
    package var passingWeight = 1
    package var warningWeight = 1
    /// See `ConfiguredWeight.warning`.
    package var ownWarningWeight: Int?
    /// When it was last critical and became well again; nil for one that never was.
    package var recoveredAt: Nanoseconds?
    /// How long the weight takes to grow back. 0 is off, the default here as with Envoy, HAProxy and nginx: services
    /// without caches to warm need none, and `leastLatency` holds a cold endpoint back by its times.
    package var slowStart: Nanoseconds = 0
    /// What refusals such as 429 have left of its share, from 0 to 1.
    package var backPressure = 1.0

    package init(configuredWeight: Int) {
        self.configuredWeight = configuredWeight
    }

    /// Its share at a time.
    package func weight(at now: Nanoseconds) -> EffectiveWeight {
        let share = Double(shareByHealth) * recovery(at: now) * min(max(backPressure, 0), 1)
        return EffectiveWeight(share)
    }

    /// Its share where health is not asked.
    package var configuredShare: EffectiveWeight { EffectiveWeight(Double(passingShare)) }

    /// Whether its health leaves it a share.
    package var isHealthy: Bool { shareByHealth > 0 }

    private var passingShare: Int { ownWarningWeight == nil ? configuredWeight * passingWeight : configuredWeight }

    private var shareByHealth: Int {
        switch health {
        case .passing: passingShare
        case .warning: ownWarningWeight ?? configuredWeight * warningWeight
        case .critical: 0
        }
    }

    /// From the floor to 1, linearly.
    private func recovery(at now: Nanoseconds) -> Double {
        guard let recoveredAt, slowStart > 0 else { return 1 }
        let elapsed = now > recoveredAt ? now - recoveredAt : 0
        guard elapsed < slowStart else { return 1 }
        return Self.slowStartFloor + (1 - Self.slowStartFloor) * Double(elapsed) / Double(slowStart)
    }
}
