// SPDX-License-Identifier: Apache-2.0
// A limiter on a loop that the test turns, with a clock that the test moves.

import Glibc
import Testing
import WeirEventLoop
import WeirFlow
import WeirMetrics
import WeirRedis
import WeirTestSupport

/// What came of a check of one limit.
enum RedisAnswer: Equatable {
    case allowed(remaining: UInt64, resetAfter: Nanoseconds)
    case refused(retryAfter: Nanoseconds, resetAfter: Nanoseconds)
    case unavailable(StoreUnavailable)

    init(_ answer: StoreAnswer, _ decision: LimitDecision) {
        switch answer {
        case .allowed: self = .allowed(remaining: decision.remaining, resetAfter: decision.resetAfter)
        case .refused: self = .refused(retryAfter: decision.retryAfter, resetAfter: decision.resetAfter)
        case .unavailable(let reason): self = .unavailable(reason)
        }
    }
}

/// What the limiter said; confined to the test's thread, as the loop is.
final class Heard: @unchecked Sendable {
    fileprivate(set) var answers: [Int: [RedisAnswer]] = [:]
    fileprivate(set) var reports: [RedisReport] = []
    fileprivate var onAnswer: ((Int, RedisAnswer) -> Void)?
}

final class HandTurnedLimiter {
    static let hour: Nanoseconds = 3_600_000_000_000

    let clock: ManualClock?
    let metrics = MetricsShard()
    let loop: EventLoop
    let limiter: RedisLimiter
    let heard = Heard()
    private var askedCount = 0

    /// - Parameter clock: nil for the machine's.
    init(
        _ url: String,
        limits: [StoreLimit] = [StoreLimit(name: "test", emissionInterval: hour, tolerance: 5 * hour)],
        options: RedisLimiterOptions = RedisLimiterOptions(),
        clock: ManualClock? = ManualClock()
    ) throws {
        self.clock = clock
        let clock = clock.map(LoopClock.manual) ?? .monotonic
        loop = try EventLoop(index: 0, name: "test", metrics: metrics, clock: clock)
        let heard = heard
        limiter = RedisLimiter(
            try RedisURL(parsing: url),
            limits: limits,
            on: loop,
            options: options,
            answered: { taker, answer, decisions in
                let answer = RedisAnswer(answer, decisions[0])
                heard.answers[Int(bitPattern: taker), default: []].append(answer)
                heard.onAnswer?(Int(bitPattern: taker), answer)
            },
            report: { heard.reports.append($0) }
        )
        limiter.start()
    }

    deinit {
        heard.onAnswer = nil
        limiter.stop()
        loop.stop()
        loop.run()
    }

    /// One that is ready.
    static func ready(_ url: String, options: RedisLimiterOptions = RedisLimiterOptions()) throws -> HandTurnedLimiter {
        let test = try HandTurnedLimiter(url, options: options)
        test.turn(until: "the limiter is ready") { test.isReady }
        return test
    }

    var isReady: Bool { metrics.value(.redisConnected) == 1 }
    var isAway: Bool { if case .away = heard.reports.last { true } else { false } }

    /// Turns without waiting: a loop for which a message waits does not sleep.
    func turn() {
        loop.submit { _ in }
        loop.turn()
    }

    func turn(until what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool) {
        eventually(what, sourceLocation: sourceLocation) {
            turn()
            return condition()
        }
    }

    func advance(by duration: Duration) {
        clock?.advance(by: duration.nanosecondsClamped)
        turn()
    }

    /// Asks; answers the number under which the answer is heard, which is there already where the limiter had it.
    @discardableResult
    func ask(_ key: UInt64 = 1, limit: Int = 0, cost: UInt32 = 1) -> (number: Int, ticket: StoreTicket?) {
        askedCount += 1
        guard let taker = UnsafeMutableRawPointer(bitPattern: askedCount) else { return (0, nil) }
        var decision = LimitDecision()
        var text = "\(key)"
        let check = text.withUTF8 { bytes in
            let item = StoreItem(limit: limit, hash: key, key: UnsafeRawBufferPointer(bytes))
            return withUnsafePointer(to: item) { item in
                limiter.check(
                    UnsafeBufferPointer(start: item, count: 1),
                    cost: cost,
                    decisions: &decision,
                    for: taker
                )
            }
        }
        switch check {
        case .waiting(let ticket): return (askedCount, ticket)
        case .answered(let answer):
            heard.answers[askedCount, default: []].append(RedisAnswer(answer, decision))
            return (askedCount, nil)
        }
    }

    /// Asks and waits for the answer.
    func answer(
        _ key: UInt64 = 1,
        limit: Int = 0,
        cost: UInt32 = 1,
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> RedisAnswer? {
        let (number, _) = ask(key, limit: limit, cost: cost)
        turn(until: "an answer comes", sourceLocation: sourceLocation) { heard.answers[number] != nil }
        return heard.answers[number]?.first
    }

    func onAnswer(_ body: @escaping (Int, RedisAnswer) -> Void) {
        heard.onAnswer = body
    }

    /// Moves the clock by steps of the longest first wait until the limiter is ready.
    func recover(sourceLocation: SourceLocation = #_sourceLocation) {
        turn(until: "the limiter is ready again", sourceLocation: sourceLocation) {
            if !isReady { clock?.advance(by: RedisLimiter.firstWait / 10) }
            return isReady
        }
    }
}

extension RedisAnswer {
    var isAllowed: Bool { if case .allowed = self { true } else { false } }
    var isRefused: Bool { if case .refused = self { true } else { false } }
}
