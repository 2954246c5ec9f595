// SPDX-License-Identifier: Apache-2.0
// Limits that hold for the whole cluster: one loop's connection to Redis, and the checks that it sends there. Confined
// to its loop's thread.

package import WeirEventLoop
package import WeirFlow
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

    /// Tells a taker what came of its check, and what each limit says; the decisions are valid during the call.
    package typealias Answered = @Sendable (Taker, StoreAnswer, UnsafePointer<LimitDecision>) -> Void

    /// The longest key that is sent, in bytes.
    package static let keyBytesMax = 256

    /// How long to wait before Redis is tried again.
    package static let firstWait: Nanoseconds = 100_000_000
    package static let longestWait: Nanoseconds = 5_000_000_000

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
        var backoff = Backoff(from: RedisLimiter.firstWait, to: RedisLimiter.longestWait)
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
    private var limits: [StoreLimit]
    private var keyPrefixes: [[UInt8]]
    /// Room for what the limits of one check say.
    private let decisions: UnsafeMutablePointer<LimitDecision>
    private let answered: Answered
    let report: @Sendable (RedisReport) -> Void
    let state: UnsafeMutablePointer<State>
    private(set) lazy var retryTimer = LoopTimer { [unowned self] _ in connect() }

    /// - Parameters:
    ///   - limits: what `check` names by its index.
    ///   - answered: called for each check that waited and was not cancelled, exactly once.
    package init(
        _ url: RedisURL,
        limits: [StoreLimit],
        on loop: EventLoop,
        options: RedisLimiterOptions = RedisLimiterOptions(),
        answered: @escaping Answered,
        report: @escaping @Sendable (RedisReport) -> Void
    ) {
        self.url = url
        self.limits = limits
        self.loop = loop
        self.options = options
        self.answered = answered
        self.report = report
        keyPrefixes = Self.keyPrefixes(limits)
        decisions = .allocate(capacity: StoreLimit.perRequestMax)
        decisions.initialize(repeating: LimitDecision(), count: StoreLimit.perRequestMax)
        state = .allocate(capacity: 1)
        state.initialize(to: State(checks: ChecksInFlight(capacity: options.inFlightMax)))
    }

    deinit {
        decisions.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    private static func keyPrefixes(_ limits: [StoreLimit]) -> [[UInt8]] {
        limits.map { Array("weir:\"\($0.name)\"".utf8) }
    }

    /// Checks name these limits from now on. Those on their way are settled by them too: a number stays a limit's, and
    /// what is still to come of one at another rate is said at that rate.
    package func replace(_ limits: [StoreLimit]) {
        precondition(limits.count >= self.limits.count, "a limit that a check on its way may name is gone")
        self.limits = limits
        keyPrefixes = Self.keyPrefixes(limits)
        // For how long a key is refused was found by the rates before.
        state.pointee.refused = RefusedKeys()
    }

    // MARK: Checking

    /// Asks whether `cost` units may pass by all these limits. Does not block, and calls nobody.
    ///
    /// - Parameter decisions: one for each item, filled in where the answer is here already.
    package func check(
        _ items: UnsafeBufferPointer<StoreItem>,
        cost: UInt32 = 1,
        decisions: UnsafeMutablePointer<LimitDecision>,
        for taker: Taker
    ) -> StoreCheck {
        if let index = refusedHere(items, cost, decisions) { return .answered(.refused(by: index)) }
        guard items.allSatisfy({ ($0.key?.count ?? 0) <= Self.keyBytesMax }) else { return fallback(.longKey) }
        guard case .ready(let channel) = state.pointee.phase else { return fallback(.away) }
        guard !state.pointee.checks.isOverdue else { return fallback(.slow) }
        guard !state.pointee.checks.isFull else { return fallback(.full) }
        if state.pointee.checks.isEmpty { channel.setDeadline(loop.now &+ options.budget, on: loop) }
        send(items, cost, on: channel)
        var sent = InlineArray<8, ChecksInFlight.Item>(repeating: ChecksInFlight.Item())
        for index in items.indices {
            sent[index] = ChecksInFlight.Item(limit: items[index].limit, key: items[index].hash)
        }
        return .waiting(
            state.pointee.checks.append(
                ChecksInFlight.Check(taker: taker, items: sent, itemCount: items.count, cost: cost, sentAt: loop.now)
            )
        )
    }

    /// Whoever waits for this answer does so no more.
    package func cancel(_ ticket: StoreTicket) {
        state.pointee.checks.forget(ticket)
    }

    /// The first limit that is known to refuse. What the others would say is not known then, so nothing is promised.
    private func refusedHere(
        _ items: UnsafeBufferPointer<StoreItem>,
        _ cost: UInt32,
        _ decisions: UnsafeMutablePointer<LimitDecision>
    ) -> Int? {
        var refused: Int?
        for (index, item) in items.enumerated() {
            let limit = limits[item.limit]
            decisions[index] = LimitDecision(limit: limit.quota)
            guard refused == nil else { continue }
            guard UInt64(cost) <= limit.quota else {
                decisions[index] = LimitDecision(
                    isAllowed: false,
                    limit: limit.quota,
                    retryAfter: LimitDecision.never
                )
                refused = index
                continue
            }
            let price = limit.emissionInterval * UInt64(cost)
            let wait = state.pointee.refused.retryAfter(item.hash, limit: item.limit, price: price, at: loop.now)
            guard let wait else { continue }
            decisions[index] = refusal(limit, price, wait)
            refused = index
        }
        return refused
    }

    private func send(_ items: UnsafeBufferPointer<StoreItem>, _ cost: UInt32, on channel: Channel) {
        state.pointee.writer.add("EVALSHA".utf8)
        state.pointee.writer.add(state.pointee.scriptName)
        state.pointee.writer.add(UInt64(items.count))
        for item in items { state.pointee.writer.add(keyPrefixes[item.limit], item.key) }
        for item in items {
            state.pointee.writer.add(limits[item.limit].emissionInterval * UInt64(cost))
            state.pointee.writer.add(limits[item.limit].tolerance)
        }
        state.pointee.writer.send(to: channel, on: loop)
        loop.flushAtTurnEnd(channel)
        loop.metrics.increment(.redisChecks)
    }

    // MARK: Answering

    /// Tells whoever waits for `check` what Redis replied: for each limit what is owed, or below zero for how long it
    /// is too early. A refusal is kept even where nobody waits any more.
    func settle(_ check: ChecksInFlight.Check, owed: InlineArray<8, Int64>) {
        var refused: Int?
        for index in 0..<check.itemCount {
            let item = check.items[index]
            let limit = limits[item.limit]
            let price = limit.emissionInterval * UInt64(check.cost)
            guard owed[index] < 0 else {
                let owed = min(UInt64(owed[index]), limit.tolerance)
                let remaining = (limit.tolerance - owed) / limit.emissionInterval
                decisions[index] = LimitDecision(limit: limit.quota, remaining: remaining, resetAfter: owed)
                continue
            }
            let wait = min(owed[index].magnitude, StoreLimit.nanosecondsMax)
            state.pointee.refused.note(
                item.key,
                limit: item.limit,
                price: price,
                retryAfter: wait,
                sentAt: check.sentAt
            )
            decisions[index] = refusal(limit, price, wait)
            if refused == nil { refused = index }
        }
        guard let taker = check.taker else { return }
        answered(taker, refused.map { .refused(by: $0) } ?? .allowed, decisions)
    }

    private func refusal(_ limit: StoreLimit, _ price: Nanoseconds, _ wait: Nanoseconds) -> LimitDecision {
        let owed = wait + limit.tolerance - price
        return LimitDecision(
            isAllowed: false,
            limit: limit.quota,
            remaining: (limit.tolerance - min(owed, limit.tolerance)) / limit.emissionInterval,
            retryAfter: wait,
            resetAfter: owed
        )
    }

    /// Tells `taker` that the local share decides.
    func giveUp(_ taker: Taker, _ reason: StoreUnavailable) {
        count(reason)
        answered(taker, .unavailable(reason), decisions)
    }

    private func fallback(_ reason: StoreUnavailable) -> StoreCheck {
        count(reason)
        return .answered(.unavailable(reason))
    }

    private func count(_ reason: StoreUnavailable) {
        switch reason {
        case .away: loop.metrics.increment(.redisFallbacksAway)
        case .slow: loop.metrics.increment(.redisFallbacksSlow)
        case .full: loop.metrics.increment(.redisFallbacksFull)
        case .longKey: loop.metrics.increment(.redisFallbacksLongKey)
        }
    }
}
