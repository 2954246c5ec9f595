// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

@Suite("RetryPolicy") struct RetryPolicyTests {
    private static let millisecond: Nanoseconds = 1_000_000

    /// What each failure allows by the standard policy: for any method, for idempotent ones, or for none; whether the
    /// budget is asked; and whether it goes to another endpoint at once.
    struct Row: Sendable, CustomTestStringConvertible {
        enum Methods { case all, idempotent, none }
        var failure: AttemptFailure
        var methods: Methods
        var asksBudget = true
        var asksBudgetElsewhere = true
        var isAtOnceElsewhere = false
        var isAtOnce = false

        var testDescription: String { "\(failure)" }
    }

    static let rows = [
        Row(failure: .connect, methods: .all, asksBudgetElsewhere: false, isAtOnceElsewhere: true),
        Row(
            failure: .stale,
            methods: .idempotent,
            asksBudget: false,
            asksBudgetElsewhere: false,
            isAtOnceElsewhere: true,
            isAtOnce: true
        ),
        Row(failure: .reset, methods: .idempotent),
        Row(failure: .timeout, methods: .idempotent),
        Row(failure: .status(503, retryAfter: nil), methods: .none),
        Row(failure: .status(502, retryAfter: 1_000_000), methods: .none),
    ]

    @Test("Every combination of failure, method, body, attempts, endpoints and deadline is decided", arguments: rows)
    func table(row: Row) {
        var random = SeededGenerator(seed: 1)
        let policy = RetryPolicy()
        let ten: Nanoseconds = 10_000_000_000
        for attempts in 1...4 {
            for isIdempotent in [true, false] {
                for isReplayable in [true, false] {
                    for hasOther in [true, false] {
                        for left in [0, 1, ten] {
                            let attempt = FailedAttempt(
                                failure: row.failure,
                                attempts: attempts,
                                isIdempotent: isIdempotent,
                                isReplayable: isReplayable,
                                hasOther: hasOther,
                                left: left
                            )
                            let decision = policy.decision(attempt, using: &random)
                            check(decision, attempt, row)
                        }
                    }
                }
            }
        }
    }

    private func check(_ decision: RetryDecision, _ attempt: FailedAttempt, _ row: Row) {
        let comment: Comment = "\(attempt)"
        if attempt.attempts >= 3 {
            #expect(decision == .giveUp(.attempts), comment)
            return
        }
        if row.methods == .none {
            #expect(decision == .giveUp(.cause), comment)
            return
        }
        let isSafe = row.methods == .all || attempt.isIdempotent
        if !isSafe || !attempt.isReplayable {
            #expect(decision == .giveUp(.unsafe), comment)
            return
        }
        if attempt.left == 0 {
            #expect(decision == .giveUp(.deadline), comment)
            return
        }
        let isAtOnce = row.isAtOnce || (row.isAtOnceElsewhere && attempt.hasOther)
        switch decision {
        case .giveUp(let reason):
            // A wait that is longer than one nanosecond.
            #expect(reason == .deadline && attempt.left == 1 && !isAtOnce, comment)
        case .retry(let wait, let asksBudget):
            #expect(asksBudget == (attempt.hasOther ? row.asksBudgetElsewhere : row.asksBudget), comment)
            #expect(wait < attempt.left, comment)
            let most: Nanoseconds = isAtOnce ? 0 : attempt.attempts == 1 ? 25 : 50
            #expect(wait <= most * Self.millisecond, comment)
        }
    }

    @Test("A status is tried again where the policy says so, after what it asks for if there is no other")
    func status() {
        var policy = RetryPolicy()
        policy.causes = [.serviceUnavailable]
        var random = SeededGenerator(seed: 2)
        var attempt = FailedAttempt(
            failure: .status(503, retryAfter: 1000 * Self.millisecond),
            attempts: 1,
            isIdempotent: true,
            isReplayable: true,
            hasOther: false,
            left: 2000 * Self.millisecond
        )
        guard case .retry(let wait, true) = policy.decision(attempt, using: &random) else {
            Issue.record("not tried again")
            return
        }
        #expect((1000...1025).contains(wait / Self.millisecond))
        attempt.left = 900 * Self.millisecond
        #expect(policy.decision(attempt, using: &random) == .giveUp(.deadline))
        attempt.hasOther = true
        guard case .retry(let short, true) = policy.decision(attempt, using: &random) else {
            Issue.record("not tried elsewhere")
            return
        }
        #expect(short <= 25 * Self.millisecond)
        attempt.failure = .status(503, retryAfter: .max)
        attempt.hasOther = false
        attempt.left = .max
        #expect(policy.decision(attempt, using: &random) == .giveUp(.deadline))
        attempt.isIdempotent = false
        #expect(policy.decision(attempt, using: &random) == .giveUp(.unsafe))
    }

    static let causes: [(Int, RetryCauses)] = [
        (502, .badGateway), (503, .serviceUnavailable), (504, .gatewayTimeout),
    ]

    @Test("A status is a cause by itself, and no other status is one", arguments: causes)
    func statuses(status: Int, cause: RetryCauses) {
        var random = SeededGenerator(seed: 5)
        var policy = RetryPolicy()
        policy.causes = cause
        for other in 100...599 {
            let attempt = FailedAttempt(
                failure: .status(other, retryAfter: nil),
                attempts: 1,
                isIdempotent: true,
                isReplayable: true,
                hasOther: true,
                left: .max
            )
            let isGivenUp = policy.decision(attempt, using: &random) == .giveUp(.cause)
            #expect(isGivenUp == (other != status), "\(other)")
        }
        #expect(RetryPolicy().causes.isDisjoint(with: cause), "not by default")
    }

    @Test("One attempt is no retry")
    func single() {
        var policy = RetryPolicy()
        policy.attemptsMax = 1
        var random = SeededGenerator(seed: 3)
        let attempt = FailedAttempt(
            failure: .connect,
            attempts: 1,
            isIdempotent: true,
            isReplayable: true,
            hasOther: true,
            left: .max
        )
        #expect(policy.decision(attempt, using: &random) == .giveUp(.attempts))
    }

    static let bounds: [(Int, UInt64)] = [
        (1, 25), (2, 50), (3, 100), (4, 200), (5, 250), (6, 250), (63, 250), (64, 250), (65, 250), (1000, 250),
    ]

    @Test("The bound of the wait doubles to a most, and the wait is spread over all of it", arguments: bounds)
    func backoff(retry: Int, milliseconds: UInt64) {
        var random = SeededGenerator(seed: 4)
        let backoff = RetryBackoff()
        let bound = milliseconds * Self.millisecond
        #expect(backoff.bound(before: retry) == bound)
        let waits = (0..<1000).map { _ in backoff.wait(before: retry, using: &random) }
        #expect(waits.allSatisfy { $0 <= bound })
        let mean = waits.reduce(0, +) / 1000
        #expect(mean > bound * 9 / 20 && mean < bound * 11 / 20)
    }
}
