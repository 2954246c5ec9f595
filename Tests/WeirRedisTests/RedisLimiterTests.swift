// SPDX-License-Identifier: Apache-2.0
// What a limiter answers while Redis is there.

import Testing
import WeirEventLoop
import WeirFlow
import WeirMetrics
import WeirRedis
import WeirTestSupport

@Suite(.needs(RedisServer.isInstalled, RedisServer.missing))
struct RedisLimiterTests {
    private static let hour = HandTurnedLimiter.hour

    @Test func `what may come at once is admitted, and no more`() throws {
        let server = try RedisServer()
        let test = try HandTurnedLimiter.ready(server.url)
        for remaining in (0..<5).reversed() {
            guard case .allowed(UInt64(remaining), let resetAfter)? = test.answer() else {
                Issue.record("not admitted with \(remaining) remaining")
                return
            }
            let owed = UInt64(5 - remaining) * Self.hour
            #expect(resetAfter <= owed && resetAfter > owed - Self.hour)
        }
        guard case .refused(let retryAfter, let resetAfter)? = test.answer() else {
            Issue.record("the sixth was not refused")
            return
        }
        #expect(retryAfter <= Self.hour && retryAfter > Self.hour / 2)
        #expect(resetAfter == retryAfter + 4 * Self.hour)
    }

    @Test func `of what two connections ask at once exactly the burst is admitted`() throws {
        let server = try RedisServer()
        let tests = try (0..<2).map { _ in try HandTurnedLimiter.ready(server.url) }
        for test in tests { for _ in 0..<500 { test.ask() } }
        for test in tests { test.turn() }
        for test in tests { test.turn(until: "all are answered") { test.heard.answers.count == 500 } }
        #expect(tests.reduce(0) { $0 + $1.heard.answers.values.count { $0[0].isAllowed } } == 5)
        #expect(tests.allSatisfy { $0.heard.answers.values.allSatisfy { $0[0].isAllowed || $0[0].isRefused } })
    }

    @Test func `two connections together admit the burst and the rate, and never more`() throws {
        let server = try RedisServer()
        let interval: Nanoseconds = 1_000_000
        let limits = [StoreLimit(name: "shared", emissionInterval: interval, tolerance: 20 * interval)]
        var options = RedisLimiterOptions()
        // The machine may be slow; this is about what Redis counts.
        options.budget = 60_000_000_000
        options.silenceMax = options.budget
        let tests = try (0..<2).map { _ in
            try HandTurnedLimiter(server.url, limits: limits, options: options, clock: nil)
        }
        for test in tests { test.turn(until: "ready") { test.isReady } }
        let start = try server.time()
        func countAdmitted() -> Int { tests.reduce(0) { $0 + $1.heard.answers.values.count { $0[0].isAllowed } } }
        tests[0].turn(until: "five times the burst is admitted") {
            for test in tests { for _ in 0..<50 { test.ask() } }
            tests[1].turn()
            return countAdmitted() >= 100
        }
        for test in tests {
            let waiting = test.ask(2)
            test.turn(until: "all are answered") { test.heard.answers[waiting.number] != nil }
        }
        // Without the two of the other key.
        let admitted = countAdmitted() - 2
        let elapsed = try server.time() - start
        #expect(admitted <= 20 + Int(elapsed / interval))
        #expect(tests.allSatisfy { $0.heard.answers.values.contains { $0[0].isRefused } })
    }

    @Test func `limits and keys are counted apart, under names that say whose they are`() throws {
        let server = try RedisServer()
        let limits = ["a", "b"].map { StoreLimit(name: $0, emissionInterval: Self.hour, tolerance: Self.hour) }
        let test = try HandTurnedLimiter(server.url, limits: limits)
        test.turn(until: "ready") { test.isReady }
        for limit in [0, 1] {
            for key: UInt64 in [1, 0xABC] {
                #expect(test.answer(key, limit: limit)?.isAllowed == true)
                #expect(test.answer(key, limit: limit)?.isRefused == true)
            }
        }
        #expect(
            try server.command("KEYS", "*").sorted() == [
                "weir:\"a\":1", "weir:\"a\":2748",
                "weir:\"b\":1", "weir:\"b\":2748",
            ]
        )
        let lifetime = try #require(Int(try server.command("PTTL", "weir:\"a\":1")[0]))
        #expect(lifetime <= 3_600_002 && lifetime > 1_800_000)
    }

    @Test func `limits may be others from one check to the next, and what was counted stays`() throws {
        let server = try RedisServer()
        let test = try HandTurnedLimiter.ready(server.url)
        for _ in 0..<5 { #expect(test.answer()?.isAllowed == true) }
        #expect(test.answer()?.isRefused == true)
        let wider = StoreLimit(name: "test", emissionInterval: Self.hour, tolerance: 7 * Self.hour)
        test.limiter.replace([wider, StoreLimit(name: "new", emissionInterval: Self.hour, tolerance: Self.hour)])
        for _ in 0..<2 { #expect(test.answer()?.isAllowed == true) }
        #expect(test.answer()?.isRefused == true)
        #expect(test.answer(limit: 1)?.isAllowed == true)
        #expect(test.answer(limit: 1)?.isRefused == true)
    }

    @Test func `a check may cost more than one, and more than the limit is never admitted nor asked`() throws {
        let server = try RedisServer()
        let test = try HandTurnedLimiter.ready(server.url)
        #expect(test.answer(cost: 6) == .refused(retryAfter: .max, resetAfter: 0))
        #expect(test.metrics.value(.redisChecks) == 0)
        guard case .allowed(2, _)? = test.answer(cost: 3) else {
            Issue.record("three of five")
            return
        }
        guard case .refused(let retryAfter, _)? = test.answer(cost: 4) else {
            Issue.record("four of two")
            return
        }
        #expect(retryAfter > Self.hour && retryAfter <= 2 * Self.hour)
        // The refusal of four says nothing against two.
        #expect(test.answer(cost: 2)?.isAllowed == true)
    }

    @Test func `a key that is over is refused without asking until its time has come`() throws {
        let server = try RedisServer()
        let test = try HandTurnedLimiter.ready(server.url)
        for _ in 0..<5 { #expect(test.answer()?.isAllowed == true) }
        #expect(test.answer()?.isRefused == true)
        let asked = test.metrics.value(.redisChecks)
        for _ in 0..<100 {
            let number = test.ask().number
            #expect(test.heard.answers[number]?.first?.isRefused == true)
        }
        #expect(test.metrics.value(.redisChecks) == asked)
        #expect(test.answer(2)?.isAllowed == true)
        test.advance(by: .seconds(3600))
        #expect(test.answer()?.isRefused == true)
        #expect(test.metrics.value(.redisChecks) == asked + 2)
    }

    @Test func `what one turn asks goes out at once and is answered in order`() throws {
        let server = try RedisServer()
        let test = try HandTurnedLimiter.ready(server.url)
        var order: [Int] = []
        test.onAnswer { number, _ in order.append(number) }
        let numbers = (0..<1024).map { test.ask(UInt64($0)).number }
        test.turn(until: "all are answered") { order.count == numbers.count }
        #expect(order == numbers)
        #expect(test.heard.answers.values.allSatisfy { $0.count == 1 && $0[0].isAllowed })
    }

    @Test func `beyond the bound the local share answers, and below it Redis again`() throws {
        let server = try RedisServer()
        var options = RedisLimiterOptions()
        options.inFlightMax = 8
        let test = try HandTurnedLimiter.ready(server.url, options: options)
        let numbers = (0..<20).map { test.ask(UInt64($0)).number }
        #expect(numbers.count { test.heard.answers[$0] == [.unavailable(.full)] } == 12)
        #expect(test.metrics.value(.redisFallbacksFull) == 12)
        test.turn(until: "the eight are answered") { test.heard.answers.count == 20 }
        #expect(test.answer(50)?.isAllowed == true)
    }

    @Test func `whoever cancels is not told, and those behind are`() throws {
        let server = try RedisServer()
        let test = try HandTurnedLimiter.ready(server.url)
        let first = test.ask()
        let second = test.ask()
        test.limiter.cancel(try #require(first.ticket))
        test.turn(until: "the second is answered") { test.heard.answers[second.number] != nil }
        #expect(test.heard.answers[first.number] == nil)
        // Long after its answer a ticket names nobody.
        let third = test.ask()
        test.limiter.cancel(try #require(second.ticket))
        test.turn(until: "the third is answered") { test.heard.answers[third.number] != nil }
    }

    @Test func `the limiter may be asked from within an answer`() throws {
        let server = try RedisServer()
        let test = try HandTurnedLimiter.ready(server.url)
        test.onAnswer { [unowned test] number, _ in if number < 10 { test.ask(UInt64(number)) } }
        test.ask()
        test.turn(until: "ten are answered") { test.heard.answers.count == 10 }
        #expect(test.heard.answers.values.allSatisfy { $0.count == 1 })
    }

    @Test func `the clock of a Redis may be set back without keeping a key from its rate`() throws {
        let server = try RedisServer()
        let test = try HandTurnedLimiter.ready(server.url)
        let now = try server.time() / 1000
        let future = now + 1_000_000_000_000
        try server.command("SET", "weir:\"test\":1", "\(2 * Self.hour):\(future)")
        guard case .allowed(2, _)? = test.answer() else {
            Issue.record("two are owed, one more is three of five")
            return
        }
        let state = try server.command("GET", "weir:\"test\":1")[0]
        let at = try #require(UInt64(state.split(separator: ":")[1]))
        #expect(at < future)
    }
}
