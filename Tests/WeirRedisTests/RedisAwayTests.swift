// SPDX-License-Identifier: Apache-2.0
// What a limiter answers while Redis is stopped, paused, restarted, or not to be had; and how it comes back.

import Testing
import WeirEventLoop
import WeirFlow
import WeirMetrics
import WeirRedis
import WeirTestSupport

@Suite(.needs(RedisServer.isInstalled, RedisServer.missing))
struct RedisAwayTests {
    @Test func `a Redis that stands still costs one budget, and is asked again when it moves`() throws {
        let server = try RedisServer()
        let test = try HandTurnedLimiter.ready(server.url)
        server.pause()
        let waiting = (0..<3).map { test.ask(UInt64($0)).number }
        test.turn()
        test.advance(by: .milliseconds(19))
        #expect(test.heard.answers.isEmpty)
        test.advance(by: .milliseconds(1))
        #expect(waiting.allSatisfy { test.heard.answers[$0] == [.unavailable(.slow)] })
        // Nothing more is sent until the overdue replies have come.
        #expect(test.answer(9) == .unavailable(.slow))
        #expect(test.metrics.value(.redisChecks) == 3)
        #expect(test.metrics.value(.redisFallbacksSlow) == 4)
        server.resume()
        test.turn(until: "Redis answers again") { test.answer(9)?.isAllowed == true }
        #expect(test.metrics.value(.redisConnects) == 1)
        #expect(test.heard.reports == [.ready])
        // The late replies were counted there, and are nobody's here.
        #expect(waiting.allSatisfy { test.heard.answers[$0]?.count == 1 })
        guard case .allowed(3, _)? = test.answer(0) else {
            Issue.record("the late check of this key was not counted")
            return
        }
    }

    @Test func `a check behind an overdue one is overdue when its own budget is over`() throws {
        let server = try RedisServer()
        let test = try HandTurnedLimiter.ready(server.url)
        server.pause()
        let first = test.ask().number
        test.advance(by: .milliseconds(10))
        let second = test.ask().number
        test.advance(by: .milliseconds(10))
        #expect(test.heard.answers[first] == [.unavailable(.slow)])
        #expect(test.heard.answers[second] == nil)
        test.advance(by: .milliseconds(10))
        #expect(test.heard.answers[second] == [.unavailable(.slow)])
        server.resume()
    }

    @Test func `a connection that is silent for too long is given up, and another made`() throws {
        let server = try RedisServer()
        let test = try HandTurnedLimiter.ready(server.url)
        server.pause()
        test.ask()
        test.advance(by: .milliseconds(20))
        test.advance(by: .milliseconds(979))
        #expect(test.heard.reports == [.ready])
        test.advance(by: .milliseconds(1))
        #expect(test.heard.reports == [.ready, .away(.silent(url: server.url))])
        #expect(!test.isReady)
        #expect(test.answer(2) == .unavailable(.away))
        server.resume()
        test.recover()
        #expect(test.answer(2)?.isAllowed == true)
        #expect(test.metrics.value(.redisConnects) == 2)
    }

    @Test func `when Redis dies those who wait are told, and it works again after its restart`() throws {
        let server = try RedisServer()
        let test = try HandTurnedLimiter.ready(server.url)
        server.pause()
        let waiting = test.ask().number
        test.turn()
        server.kill()
        test.turn(until: "the loss is noticed") { test.isAway }
        #expect(test.heard.answers[waiting] == [.unavailable(.away)])
        #expect(test.heard.reports == [.ready, .away(.lost(url: server.url))])
        #expect(test.metrics.value(.redisFallbacksAway) == 1)
        #expect(test.metrics.value(.redisConnected) == 0)
        try server.start()
        test.recover()
        // Neither its keys nor the script have survived.
        guard case .allowed(4, _)? = test.answer() else {
            Issue.record("a fresh Redis knows of no debt")
            return
        }
    }

    @Test func `a Redis that is not there at the start is tried until it is, and reported once`() throws {
        let server = try RedisServer(isStarted: false)
        let test = try HandTurnedLimiter(server.url)
        test.turn(until: "it is known to be away") { test.isAway }
        for _ in 0..<50 { test.advance(by: .milliseconds(500)) }
        #expect(test.answer() == .unavailable(.away))
        #expect(test.heard.reports == [.away(.unreachable(url: server.url))])
        try server.start()
        test.recover()
        #expect(test.heard.reports.last == .ready)
        #expect(test.answer()?.isAllowed == true)
    }

    @Test func `a script cache that was emptied is filled on the same connection`() throws {
        let server = try RedisServer()
        let test = try HandTurnedLimiter.ready(server.url)
        #expect(test.answer()?.isAllowed == true)
        try server.command("SCRIPT", "FLUSH")
        let numbers = (0..<3).map { _ in test.ask().number }
        test.turn(until: "all are answered") { numbers.allSatisfy { test.heard.answers[$0] != nil } }
        #expect(numbers.allSatisfy { test.heard.answers[$0] == [.unavailable(.away)] })
        test.turn(until: "ready") { test.isReady }
        guard case .allowed(3, _)? = test.answer() else {
            Issue.record("those that found no script were not counted")
            return
        }
        #expect(test.metrics.value(.redisConnects) == 1)
        #expect(test.heard.reports == [.ready])
    }

    @Test func `a Redis that takes no writes is left, and tried again`() throws {
        let server = try RedisServer()
        let test = try HandTurnedLimiter.ready(server.url)
        try server.command("REPLICAOF", "127.0.0.1", "1")
        #expect(test.answer() == .unavailable(.away))
        guard case .away(.refused(_, "EVALSHA", let answer))? = test.heard.reports.last else {
            Issue.record("\(test.heard.reports)")
            return
        }
        #expect(answer.hasPrefix("READONLY"))
        try server.command("REPLICAOF", "NO", "ONE")
        test.recover()
        #expect(test.answer()?.isAllowed == true)
    }

    @Test func `a limiter that is stopped tells those who wait, and asks no more`() throws {
        let server = try RedisServer()
        let test = try HandTurnedLimiter.ready(server.url)
        let waiting = test.ask().number
        test.limiter.stop()
        #expect(test.heard.answers[waiting] == [.unavailable(.away)])
        test.advance(by: .seconds(60))
        #expect(test.answer() == .unavailable(.away))
        #expect(test.heard.reports == [.ready])
        test.limiter.start()
        test.turn(until: "ready") { test.isReady }
    }

    @Test func `the end of the loop ends a connection and whoever waits`() throws {
        let server = try RedisServer()
        let test = try HandTurnedLimiter.ready(server.url)
        let waiting = test.ask().number
        test.loop.stop()
        test.loop.run()
        #expect(test.heard.answers[waiting] == [.unavailable(.away)])
        #expect(test.heard.reports == [.ready])
    }

    @Test func `under load each check is answered once while Redis is paused, killed and restarted`() throws {
        let server = try RedisServer()
        var options = RedisLimiterOptions()
        options.budget = 5_000_000
        options.silenceMax = 50_000_000
        let limits = [StoreLimit(name: "load", emissionInterval: 1000, tolerance: 1_000_000)]
        let tests = try (0..<2).map { _ in
            try HandTurnedLimiter(server.url, limits: limits, options: options, clock: nil)
        }
        var asked = 0
        func load(until what: Comment, _ condition: @escaping (RedisAnswer) -> Bool) {
            for test in tests {
                var isMet = false
                test.onAnswer { _, answer in isMet = isMet || condition(answer) }
                test.turn(until: what) {
                    for key in 0..<20 {
                        let number = test.ask(UInt64(key)).number
                        asked += 1
                        if let answer = test.heard.answers[number]?.first { isMet = isMet || condition(answer) }
                    }
                    return isMet
                }
                test.onAnswer { _, _ in }
            }
        }
        for _ in 0..<3 {
            load(until: "Redis answers") { $0.isAllowed || $0.isRefused }
            server.pause()
            load(until: "it is slow") { $0 == .unavailable(.slow) }
            server.resume()
            load(until: "Redis answers again") { $0.isAllowed || $0.isRefused }
            server.kill()
            load(until: "it is away") { $0 == .unavailable(.away) }
            try server.start()
        }
        load(until: "Redis answers in the end") { $0.isAllowed || $0.isRefused }
        for test in tests { test.limiter.stop() }
        #expect(tests.reduce(0) { $0 + $1.heard.answers.count } == asked)
        #expect(tests.allSatisfy { $0.heard.answers.values.allSatisfy { $0.count == 1 } })
    }
}
