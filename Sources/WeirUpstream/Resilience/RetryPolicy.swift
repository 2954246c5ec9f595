// SPDX-License-Identifier: Apache-2.0
// Whether a request that has failed is sent again, and when. A value; decides without an effect.

package import WeirEventLoop

/// How an attempt came to nothing.
package enum AttemptFailure: Equatable, Sendable {
    /// No connection: refused, unreachable, not made in time. Nothing was sent.
    case connect
    /// An unused connection was closed as the request was sent on it, before a byte came back (RFC 9112 section 9.3.1).
    case stale
    /// A connection broke off before the response's head, or stood still in the middle of the request.
    case reset
    /// No response's head within ``RetryPolicy/attemptTimeout``.
    case timeout
    /// A response of one of ``RetryCauses/statuses``, and its `Retry-After`.
    case status(Int, retryAfter: Nanoseconds?)

    /// Whether an endpoint that has failed a request so may be asked again where there is no other: it is there, and
    /// behind its address there may be several.
    package var allowsSameEndpoint: Bool {
        switch self {
        case .stale, .timeout, .status: true
        case .connect, .reset: false
        }
    }
}

/// Which failures are worth another attempt.
package struct RetryCauses: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let connect = RetryCauses(rawValue: 1)
    package static let stale = RetryCauses(rawValue: 2)
    package static let reset = RetryCauses(rawValue: 4)
    package static let timeout = RetryCauses(rawValue: 8)
    // Not by default: an endpoint that is overloaded says 503, and more of the same does not help it.
    package static let badGateway = RetryCauses(rawValue: 16)
    package static let serviceUnavailable = RetryCauses(rawValue: 32)
    package static let gatewayTimeout = RetryCauses(rawValue: 64)
    package static let standard: RetryCauses = [.connect, .stale, .reset, .timeout]

    /// What may be among the causes as a status.
    package static let statuses = 502...504

    /// The cause that a response's status is; none for all but ``statuses``.
    package init(status: Int) {
        self =
            switch status {
            case 502: .badGateway
            case 503: .serviceUnavailable
            case 504: .gatewayTimeout
            default: []
            }
    }

    init(_ failure: AttemptFailure) {
        self =
            switch failure {
            case .connect: .connect
            case .stale: .stale
            case .reset: .reset
            case .timeout: .timeout
            case .status(let status, _): RetryCauses(status: status)
            }
    }
}

/// A request whose attempt has failed. None of its response has gone to the client.
package struct FailedAttempt: Equatable, Sendable {
    package var failure: AttemptFailure
    /// Attempts that were made, this one included.
    package var attempts: Int
    /// Whether carrying it out twice is the same as once (RFC 9110 section 9.2.2).
    package var isIdempotent: Bool
    /// Whether all that was sent of it can be sent again: no byte of a body that is not kept.
    package var isReplayable: Bool
    /// Whether there is an endpoint, or another address, that has not failed it yet.
    package var hasOther: Bool
    /// What is left of its deadline.
    package var left: Nanoseconds

    package init(
        failure: AttemptFailure,
        attempts: Int,
        isIdempotent: Bool,
        isReplayable: Bool,
        hasOther: Bool,
        left: Nanoseconds
    ) {
        self.failure = failure
        self.attempts = attempts
        self.isIdempotent = isIdempotent
        self.isReplayable = isReplayable
        self.hasOther = hasOther
        self.left = left
    }
}

package enum RetryDecision: Equatable, Sendable {
    case giveUp(Reason)
    /// Once ``RetryBudget/takeRetry(at:_:)`` allows it too, where it is asked.
    case retry(after: Nanoseconds, asksBudget: Bool)

    /// Why there is no other attempt; the label of a metric.
    package enum Reason: Equatable, Sendable {
        case attempts
        case cause
        case unsafe
        case deadline
    }
}

package struct RetryPolicy: Equatable, Sendable {
    /// The first one included; 1 is no retry.
    package var attemptsMax = 3
    package var causes = RetryCauses.standard
    /// How long an attempt may wait for the response's head once the request is whole; `.max` is all that is left of the
    /// deadline, which bounds it in any case.
    package var attemptTimeout = Nanoseconds.max
    package var backoff = RetryBackoff()

    package init() {}

    /// Whether to try again, and after how long. The reasons are looked at in the order of ``RetryDecision/Reason``.
    package func decision(
        _ attempt: FailedAttempt,
        using random: inout some RandomNumberGenerator
    ) -> RetryDecision {
        guard attempt.attempts < attemptsMax else { return .giveUp(.attempts) }
        guard !causes.isDisjoint(with: RetryCauses(attempt.failure)) else { return .giveUp(.cause) }
        // Where there was no connection nothing was sent: that is safe for any method.
        guard attempt.isReplayable, attempt.isIdempotent || attempt.failure == .connect else { return .giveUp(.unsafe) }
        let wait = wait(attempt, &random)
        guard wait < attempt.left else { return .giveUp(.deadline) }
        return .retry(after: wait, asksBudget: asksBudget(attempt))
    }

    /// Unused connections end by the hundred when an endpoint restarts, and then it refuses as many. No endpoint has
    /// worked on those requests, so sending them elsewhere adds nothing to what is asked of all. Where there is nowhere
    /// else, an endpoint that is not there would be knocked at again and again.
    private func asksBudget(_ attempt: FailedAttempt) -> Bool {
        switch attempt.failure {
        case .stale: false
        case .connect: !attempt.hasOther
        case .reset, .timeout, .status: true
        }
    }

    private func wait(_ attempt: FailedAttempt, _ random: inout some RandomNumberGenerator) -> Nanoseconds {
        switch attempt.failure {
        case .stale: return 0
        // To wait for another endpoint helps nobody: the one that could not be connected to has said nothing about it.
        case .connect where attempt.hasOther: return 0
        case .status(_, let retryAfter?) where !attempt.hasOther:
            // Spread from then on: others were told the same.
            let (wait, overflow) = retryAfter.addingReportingOverflow(
                backoff.wait(before: attempt.attempts, using: &random)
            )
            return overflow ? .max : wait
        case .connect, .reset, .timeout, .status:
            return backoff.wait(before: attempt.attempts, using: &random)
        }
    }
}
