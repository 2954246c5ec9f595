// SPDX-License-Identifier: Apache-2.0
// Whether memory is short, and how much is turned away for it. Owned by the one thread that reads the usage. Pure.

/// What the memory in use asks for.
package enum MemoryPressureLevel: Int, Sendable, Comparable {
    case normal
    /// Sheddable work is turned away.
    case shedding
    /// Everything but health checks is turned away.
    case critical

    package static func < (one: MemoryPressureLevel, other: MemoryPressureLevel) -> Bool {
        one.rawValue < other.rawValue
    }
}

/// The level of memory pressure, from usage and limit.
///
/// A level is entered above its threshold, and left ``release`` below it: memory that goes back and forth at the
/// threshold does not turn requests away by turns.
package struct MemoryPressure: Sendable {
    /// Where the levels begin, as shares of the limit.
    package struct Thresholds: Sendable, Equatable {
        package let shedding: Double
        package let critical: Double

        /// How far below its threshold a level is left.
        package let release: Double

        /// The caller has validated them: `0 < release < shedding <= critical <= 1`.
        package init(shedding: Double = 0.85, critical: Double = 0.95, release: Double = 0.05) {
            precondition(release > 0 && release < shedding, "a level has to be left somewhere above 0")
            precondition(shedding <= critical && critical <= 1, "the levels follow one another")
            self.shedding = shedding
            self.critical = critical
            self.release = release
        }
    }

    package private(set) var level = MemoryPressureLevel.normal
    package let thresholds: Thresholds

    package init(thresholds: Thresholds = Thresholds()) {
        self.thresholds = thresholds
    }

    /// Takes in a reading and answers the level.
    ///
    /// Without one (the file has vanished, there is no limit) the level is normal: to turn work away takes evidence. Where
    /// reading has only failed for now, the caller does not ask, and ``level`` stays.
    package mutating func update(usedBytes: Int?, limitBytes: Int?) -> MemoryPressureLevel {
        guard let usedBytes, let limitBytes, usedBytes >= 0, limitBytes > 0 else {
            level = .normal
            return level
        }
        let share = Double(usedBytes) / Double(limitBytes)
        let entered = reached(share, beyond: 0)
        // What the level would be if it were left late; never above the one that holds, unless it is entered.
        let kept = min(level, reached(share, beyond: -thresholds.release))
        level = max(entered, kept)
        return level
    }

    private func reached(_ share: Double, beyond margin: Double) -> MemoryPressureLevel {
        if share > thresholds.critical + margin { return .critical }
        return share > thresholds.shedding + margin ? .shedding : .normal
    }
}
