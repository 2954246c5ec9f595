// SPDX-License-Identifier: Apache-2.0
// A limiter that is asked for several limits at once, on a loop that the test turns.

import Testing
import WeirEventLoop
import WeirFlow
import WeirMetrics
import WeirRedis
import WeirTestSupport

final class SetLimiter {
    /// Confined to the test's thread, as the loop is.
    private final class Heard: @unchecked Sendable {
        var answers: [(StoreAnswer, [LimitDecision])] = []
    }

    let metrics = MetricsShard()
    private let loop: EventLoop
    private let limiter: RedisLimiter
    private let heard = Heard()
    private(set) var askedCount = 0

    /// One that is ready.
    init(_ url: String, _ limits: [StoreLimit]) throws {
        loop = try EventLoop(index: 0, name: "test", metrics: metrics, clock: .manual(ManualClock()))
        let heard = heard
        limiter = RedisLimiter(
            try RedisURL(parsing: url),
            limits: limits,
            on: loop,
            answered: { _, answer, decisions in
                heard.answers.append((answer, limits.indices.map { decisions[$0] }))
            },
            report: { _ in }
        )
        limiter.start()
        turn(until: "the limiter is ready") { metrics.value(.redisConnected) == 1 }
    }

    deinit {
        limiter.stop()
        loop.stop()
        loop.run()
    }

    var answers: [(StoreAnswer, [LimitDecision])] { heard.answers }

    /// Asks for each limit by its key.
    func ask(_ keys: [String?]) {
        askedCount += 1
        let bytes = keys.map { $0.map { Array($0.utf8) } }
        let memory = bytes.map { $0.map { UnsafeMutableRawBufferPointer.allocate(byteCount: $0.count, alignment: 1) } }
        defer { for memory in memory { memory?.deallocate() } }
        for (memory, bytes) in zip(memory, bytes) { if let bytes { memory?.copyBytes(from: bytes) } }
        let items = zip(memory, bytes).enumerated().map { index, key in
            StoreItem(
                limit: index,
                hash: UInt64(truncatingIfNeeded: key.1.hashValue),
                key: key.0.map { UnsafeRawBufferPointer($0) }
            )
        }
        var decisions = keys.map { _ in LimitDecision() }
        let check = items.withUnsafeBufferPointer { items in
            decisions.withUnsafeMutableBufferPointer { decisions in
                guard let base = decisions.baseAddress, let taker = UnsafeMutableRawPointer(bitPattern: askedCount)
                else { preconditionFailure("no keys") }
                return limiter.check(items, decisions: base, for: taker)
            }
        }
        if case .answered(let answer) = check { heard.answers.append((answer, decisions)) }
    }

    func turn(until what: Comment, _ condition: () -> Bool) {
        eventually(what) {
            loop.submit { _ in }
            loop.turn()
            return condition()
        }
    }
}
