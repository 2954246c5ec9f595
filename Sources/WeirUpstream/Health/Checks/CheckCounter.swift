// SPDX-License-Identifier: Apache-2.0
// How many results in a row it takes until a check's status changes, counted as Consul does. Pure.

/// The thresholds of a check, and the results since it last went the other way.
///
/// Both counts begin at their thresholds, so the first result decides at once. A warning is a success: an instance that
/// asks for less is there.
package struct CheckCounter: Sendable {
    /// How many in a row it takes; 0 and 1 are the same.
    package struct Thresholds: Sendable, Equatable {
        package var successBeforePassing = 0
        /// Nil for as many as `failuresBeforeCritical`: then failures warn of nothing before they are critical.
        package var failuresBeforeWarning: Int?
        package var failuresBeforeCritical = 0

        package init(successBeforePassing: Int = 0, failuresBeforeWarning: Int? = nil, failuresBeforeCritical: Int = 0)
        {
            self.successBeforePassing = successBeforePassing
            self.failuresBeforeWarning = failuresBeforeWarning
            self.failuresBeforeCritical = failuresBeforeCritical
        }
    }

    private let thresholds: Thresholds
    private var successes: Int
    private var failures: Int

    package init(_ thresholds: Thresholds = Thresholds()) {
        self.thresholds = thresholds
        successes = thresholds.successBeforePassing
        failures = thresholds.failuresBeforeCritical
    }

    /// Counts a result.
    ///
    /// - Returns: the status that the check has now; nil where it keeps the one that it had.
    package mutating func note(_ result: CheckStatus) -> CheckStatus? {
        if result == .critical {
            failures = failures &+ 1
            successes = 0
            if failures >= thresholds.failuresBeforeCritical { return .critical }
            let failuresBeforeWarning = thresholds.failuresBeforeWarning ?? thresholds.failuresBeforeCritical
            return failures >= failuresBeforeWarning ? .warning : nil
        }
        successes = successes &+ 1
        failures = 0
        return successes >= thresholds.successBeforePassing ? result : nil
    }
}
