// SPDX-License-Identifier: Apache-2.0
// What is asked of the store, and what it may answer. Values.

package import WeirEventLoop

/// A limit as GCRA (ITU-T I.371, the continuous-state leaky bucket): each unit of cost owes the emission interval, what
/// is owed drains with time, and what would owe more than the tolerance is refused.
package struct RedisLimit: Sendable, Equatable {
    /// The longest interval or tolerance, 52 days: Redis computes in doubles, which are exact up to twice this.
    package static let nanosecondsMax: Nanoseconds = 1 << 52

    /// Tells the limits of one Redis apart, in its keys: `weir:<name>:<key in hexadecimal>`.
    package let name: String
    /// Between two units at the limit's rate: 10 ms for 100/s.
    package let emissionInterval: Nanoseconds
    /// What may be owed at most: the interval times the units that may come at once.
    package let tolerance: Nanoseconds

    package init(name: String, emissionInterval: Nanoseconds, tolerance: Nanoseconds) {
        precondition(emissionInterval > 0, "a limit's interval is at least 1 ns")
        precondition(tolerance >= emissionInterval, "a limit admits at least one unit")
        precondition(tolerance <= Self.nanosecondsMax, "a limit's tolerance is at most 2^52 ns")
        self.name = name
        self.emissionInterval = emissionInterval
        self.tolerance = tolerance
    }
}

/// Whom a limit is counted for: 128 bits that every replica computes alike, and that no two clients can share on
/// purpose, such as an address or a cryptographic digest cut to this.
package struct RedisKey: Sendable, Equatable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// What comes of a check.
package enum RedisAnswer: Sendable, Equatable {
    /// It was counted: so many units may follow at once, and nothing is owed any more after `resetAfter`.
    case allowed(remaining: UInt64, resetAfter: Nanoseconds)
    /// It was not counted: it would be allowed after `retryAfter`, or never (`.max`) where it costs more than the
    /// tolerance.
    case refused(retryAfter: Nanoseconds, resetAfter: Nanoseconds)
    /// Ask the local share. It may have been counted.
    case unavailable(RedisUnavailable)
}

/// Why Redis does not answer.
package enum RedisUnavailable: Sendable, Equatable {
    /// There is no connection that is ready.
    case away
    /// It takes longer than the budget, or has not answered an earlier check within its own.
    case slow
    /// As many checks as may be are on their way.
    case full
}

/// Names a check that waits for its answer; never reused.
package struct RedisTicket: Sendable, Equatable {
    let number: UInt64
}
