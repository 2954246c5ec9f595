// SPDX-License-Identifier: Apache-2.0
// Several limits on one request, and keys as Redis has them.

import Testing
import WeirEventLoop
import WeirFlow
import WeirMetrics
import WeirRedis
import WeirTestSupport

@Suite(.needs(RedisServer.isInstalled, RedisServer.missing))
struct RedisSetTests {
    private static let hour = HandTurnedLimiter.hour
    private static let limits = [
        StoreLimit(name: "two", emissionInterval: hour, tolerance: 2 * hour),
        StoreLimit(name: "nine", emissionInterval: hour, tolerance: 9 * hour),
    ]

    /// Asks for both limits.
    private func ask(_ test: SetLimiter, _ keys: [String?]) -> (StoreAnswer, [LimitDecision])? {
        test.ask(keys)
        test.turn(until: "an answer comes") { test.answers.count == test.askedCount }
        return test.answers.last
    }

    @Test func `what one limit refuses counts for none`() throws {
        let server = try RedisServer()
        let test = try SetLimiter(server.url, Self.limits)
        for left: UInt64 in [1, 0] {
            let (answer, decisions) = try #require(ask(test, ["a", "a"]))
            #expect(answer == .allowed)
            #expect(decisions.map(\.remaining) == [left, 7 + left])
            #expect(decisions.map(\.limit) == [2, 9])
        }
        let (answer, decisions) = try #require(ask(test, ["a", "b"]))
        #expect(answer == .refused(by: 0))
        #expect(decisions.map(\.isAllowed) == [false, true])
        // Redis says what the others have left, and has taken nothing of it.
        #expect(decisions.map(\.remaining) == [0, 9])
        #expect(decisions[0].retryAfter > Self.hour / 2 && decisions[0].retryAfter <= Self.hour)
        #expect(try server.command("KEYS", "*").sorted() == ["weir:\"nine\":a", "weir:\"two\":a"])
        #expect(test.metrics.value(.redisChecks) == 3)
    }

    @Test func `a key that is known to be over refuses the whole without asking`() throws {
        let server = try RedisServer()
        let test = try SetLimiter(server.url, Self.limits)
        for _ in 0..<3 { _ = ask(test, ["a", "a"]) }
        let asked = test.metrics.value(.redisChecks)
        let (answer, decisions) = try #require(ask(test, ["a", "c"]))
        #expect(answer == .refused(by: 0))
        #expect(decisions[0].retryAfter > 0)
        #expect(decisions.map(\.limit) == [2, 9])
        #expect(test.metrics.value(.redisChecks) == asked)
    }

    @Test func `no key, and an empty one, are keys of their own`() throws {
        let server = try RedisServer()
        let test = try SetLimiter(server.url, Self.limits)
        _ = ask(test, [nil, "a:b"])
        _ = ask(test, ["", "a b\r\n\u{0}"])
        #expect(
            try server.command("KEYS", "*").sorted() == [
                "weir:\"nine\":a b\r\n", "weir:\"nine\":a:b", "weir:\"two\"", "weir:\"two\":",
            ]
        )
    }

    @Test func `a key beyond the bound is not sent`() throws {
        let server = try RedisServer()
        let test = try SetLimiter(server.url, Self.limits)
        let longest = String(repeating: "k", count: RedisLimiter.keyBytesMax)
        #expect(ask(test, [longest, "a"])?.0 == .allowed)
        #expect(ask(test, ["a", longest + "k"])?.0 == .unavailable(.longKey))
        #expect(test.metrics.value(.redisFallbacksLongKey) == 1)
        #expect(test.metrics.value(.redisChecks) == 1)
    }
}
