// SPDX-License-Identifier: Apache-2.0
// Limits that hold for the whole cluster: one loop's connection to Redis, and the checks that it sends there. Confined
// to its loop's thread.

package import WeirEventLoop
import WeirMetrics

/// What a limiter may take.
package struct RedisLimiterOptions: Sendable {
    /// The longest a check waits for its reply; then the local share answers.
    package var budget: Nanoseconds = 20_000_000
    /// The most checks of a loop whose replies are still to come.
    package var inFlightMax = 1024
    /// The longest a connection may take until it is ready.
    package var connectTimeout: Nanoseconds = 1_000_000_000
    /// A connection on which a check waits this long for its reply is given up.
    package var silenceMax: Nanoseconds = 1_000_000_000

    package init() {}
}

/// What the owner of a limiter is told, in order and on the loop's thread.
package enum RedisReport: Sendable, Equatable {
    /// Redis answers from now on.
    case ready
    /// It does not, and is tried again and again. Said once for each new reason.
    case away(RedisProblem)
}

/// One loop's way to Redis.
///
/// Checks are pipelined: what one turn of the loop asks goes out in one send, and Redis replies in that order. So while
/// the oldest check is overdue no other can be answered in time, and none is sent: a Redis that stands still costs each
/// loop one budget and not one for each request, and its first late reply shows that it is back.
///
/// `@unchecked Sendable`: everything happens on the loop's thread, from `start` to `stop`.
package final class RedisLimiter: @unchecked Sendable {
    /// Whoever waits for an answer. It is called with what it gave; `cancel` makes that safe to free before.
    package typealias Taker = UnsafeMutableRawPointer

    package enum Check: Equatable {
        case answered(RedisAnswer)
        /// `answered` is called later, never inside this call.
        case waiting(RedisTicket)
    }

    /// Where the connection is.
    enum Phase {
        case stopped
        case resolving
        /// Being made, or asked to do this step.
        case greeting(Channel, Greeting)
        case ready(Channel)
        /// Until the timer fires.
        case away
    }

    /// What is changed often, behind one pointer: a field of a class would pay a run-time check for each change.
    struct State: ~Copyable {
        var phase = Phase.stopped
        var checks: ChecksInFlight
        var refused = RefusedKeys()
        var writer = CommandWriter()
        var reader = ReplyReader()
        var backoff = Backoff()
        /// When the present connection must be ready.
        var readyBy: Nanoseconds = .max
        /// What SCRIPT LOAD answered: the name that the script has in Redis.
        var scriptName: [UInt8] = []
        /// How many connections were begun: which address is next, and which resolving is the present one.
        var attempt = 0
        var reported: RedisReport?
    }

    let loop: EventLoop
    let url: RedisURL
    let options: RedisLimiterOptions
    private let limits: [RedisLimit]
    private let keyPrefixes: [[UInt8]]
    private let answered: @Sendable (Taker, RedisAnswer) -> Void
    let report: @Sendable (RedisReport) -> Void
    let state: UnsafeMutablePointer<State>
    private(set) lazy var retryTimer = LoopTimer { [unowned self] _ in connect() }

    /// - Parameters:
    ///   - limits: what `check` names by its index.
    ///   - answered: called for each check that waited and was not cancelled, exactly once.
    package init(
        _ url: RedisURL,
        limits: [RedisLimit],
        on loop: EventLoop,
        options: RedisLimiterOptions = RedisLimiterOptions(),
        answered: @escaping @Sendable (Taker, RedisAnswer) -> Void,
        report: @escaping @Sendable (RedisReport) -> Void
    ) {
        self.url = url
        self.limits = limits
        self.loop = loop
        self.options = options
        self.answered = answered
        self.report = report
        keyPrefixes = limits.map { Array("weir:\($0.name):".utf8) }
        state = .allocate(capacity: 1)
        state.initialize(to: State(checks: ChecksInFlight(capacity: options.inFlightMax)))
    }

    deinit {
        state.deinitialize(count: 1)
        state.deallocate()
    }

    // MARK: Checking

    /// Asks whether `cost` units may pass for `key`. Does not block, and calls nobody.
    package func check(limit index: Int, key: RedisKey, cost: UInt32 = 1, for taker: Taker) -> Check {
        let limit = limits[index]
        let (price, overflows) = limit.emissionInterval.multipliedReportingOverflow(by: UInt64(cost))
        guard !overflows, price <= limit.tolerance else {
            return .answered(.refused(retryAfter: .max, resetAfter: 0))
        }
        if let wait = state.pointee.refused.retryAfter(key, limit: index, price: price, at: loop.now) {
            return .answered(.refused(retryAfter: wait, resetAfter: wait + limit.tolerance - price))
        }
        guard case .ready(let channel) = state.pointee.phase else { return .answered(fallback(.away)) }
        guard !state.pointee.checks.isOverdue else { return .answered(fallback(.slow)) }
        guard !state.pointee.checks.isFull else { return .answered(fallback(.full)) }
        if state.pointee.checks.isEmpty { channel.setDeadline(loop.now &+ options.budget, on: loop) }
        send(limit, index, key, price, on: channel)
        return .waiting(
            state.pointee.checks.append(
                ChecksInFlight.Check(taker: taker, key: key, limit: index, price: price, sentAt: loop.now)
            )
        )
    }

    /// Whoever waits for this answer does so no more.
    package func cancel(_ ticket: RedisTicket) {
        state.pointee.checks.forget(ticket)
    }

    private func send(_ limit: RedisLimit, _ index: Int, _ key: RedisKey, _ price: Nanoseconds, on channel: Channel) {
        state.pointee.writer.add("EVALSHA".utf8)
        state.pointee.writer.add(state.pointee.scriptName)
        state.pointee.writer.add(1)
        state.pointee.writer.add(keyPrefixes[index], key)
        state.pointee.writer.add(price)
        state.pointee.writer.add(limit.tolerance)
        state.pointee.writer.send(to: channel, on: loop)
        loop.flushAtTurnEnd(channel)
        loop.metrics.increment(.redisChecks)
    }

    // MARK: Answering

    /// Tells whoever waits for `check` what Redis replied: what is owed now, or below zero for how long it is too early.
    /// A refusal is kept even where nobody waits any more.
    func settle(_ check: ChecksInFlight.Check, owed: Int64) {
        let limit = limits[check.limit]
        guard owed < 0 else {
            guard let taker = check.taker else { return }
            let owed = min(UInt64(owed), limit.tolerance)
            let remaining = (limit.tolerance - owed) / limit.emissionInterval
            answered(taker, .allowed(remaining: remaining, resetAfter: owed))
            return
        }
        let retryAfter = min(owed.magnitude, RedisLimit.nanosecondsMax)
        state.pointee.refused.note(
            check.key,
            limit: check.limit,
            price: check.price,
            retryAfter: retryAfter,
            sentAt: check.sentAt
        )
        guard let taker = check.taker else { return }
        answered(taker, .refused(retryAfter: retryAfter, resetAfter: retryAfter + limit.tolerance - check.price))
    }

    /// Tells `taker` that the local share decides.
    func giveUp(_ taker: Taker, _ reason: RedisUnavailable) {
        answered(taker, fallback(reason))
    }

    private func fallback(_ reason: RedisUnavailable) -> RedisAnswer {
        switch reason {
        case .away: loop.metrics.increment(.redisFallbacksAway)
        case .slow: loop.metrics.increment(.redisFallbacksSlow)
        case .full: loop.metrics.increment(.redisFallbacksFull)
        }
        return .unavailable(reason)
    }
}
