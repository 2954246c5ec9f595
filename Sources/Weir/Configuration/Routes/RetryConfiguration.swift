// SPDX-License-Identifier: Apache-2.0
// When a route's request is sent again.

import WeirDocument

/// When a request that failed is sent again, to another endpoint first. Only what cannot be carried out twice by that:
/// idempotent requests, and those of which no byte was sent.
package struct RetryConfiguration: Sendable, Equatable {
    /// What a request is sent again for.
    package enum Condition: String, Sendable, CaseIterable {
        /// No connection could be made.
        case connect
        /// The connection ended before the response's head, or stood still in the middle of the request.
        case reset
        /// No response's head came within `attemptTimeout`.
        case timeout
        case badGateway = "502"
        case unavailable = "503"
        case gatewayTimeout = "504"
    }

    /// How often it may be sent again.
    package var attempts = 2
    package var conditions: [Condition] = [.connect, .reset, .timeout]
    /// How long an attempt may wait for the response's head; nil for all that is left of the deadline.
    package var attemptTimeout: Duration?
    package var budgetPercent = 20
    package var budgetMinPerSecond = 3
    package var backoff: Duration = .milliseconds(25)
    package var backoffMax: Duration = .milliseconds(250)
}

extension RetryConfiguration: ConfigurationObject {
    static let name = "retry"
    static let summary =
        "When a request that failed is sent again, to another endpoint first, within what is left of its "
        + "deadline. Only idempotent requests, and those of which no byte was sent."

    static let fields: [ConfigurationField<Self>] = [
        ConfigurationField("attempts", \.attempts, .value(.number(0...10)), "How often it may be sent again; 0 never"),
        ConfigurationField(
            "on",
            \.conditions,
            .list(of: .value(.choice), 1...Condition.allCases.count, orOne: true),
            "What for: no connection, one that ended before the response's head, no head within `attempt-timeout`, a status"
        ),
        ConfigurationField(
            "attempt-timeout",
            \.attemptTimeout,
            .optional(.value(.duration(.milliseconds(1) ... .seconds(3600)))),
            "How long each attempt may wait for the response's head, once the request is sent; else it has failed. "
                + "All that is left of the deadline where it is not given, and never more"
        ),
        ConfigurationField(
            "budget",
            \.budgetPercent,
            .value(.percent(0...100)),
            "How many retries there may be for each hundred requests of an upstream in ten seconds"
        ),
        ConfigurationField(
            "budget-min",
            \.budgetMinPerSecond,
            .value(.number(0...10_000)),
            "How many retries a second there may be whatever the budget says"
        ),
        ConfigurationField(
            "backoff",
            \.backoff,
            .value(.duration(.milliseconds(1) ... .seconds(10))),
            "The longest wait before the first retry, twice as long for each further one; a random part of it is waited"
        ),
        ConfigurationField(
            "backoff-max",
            \.backoffMax,
            .value(.duration(.milliseconds(1) ... .seconds(60))),
            "The longest wait; not below `backoff`"
        ),
    ]

    package init(_ settings: Settings) {}

    func check(_ node: DocumentNode, _ path: FieldPath, _ context: ReadingContext) throws(SettingsError) {
        if backoffMax < backoff {
            throw context.document.fault(path.key("backoff-max"), "expected a time not below backoff")
        }
    }
}
