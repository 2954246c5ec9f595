// SPDX-License-Identifier: Apache-2.0
// Several limits on one request.

import Testing
import WeirFlow

@Suite struct LimiterSetTests {
    @Test("A request that one limit refuses is charged to none", arguments: RateLimitAlgorithm.allCases, 0..<3)
    func allOrNothing(algorithm: RateLimitAlgorithm, small: Int) {
        let set = LimiterSet(
            (0..<3).map { index in
                let rate = Rate.perHour(index == small ? 2 : 9)
                let key: RateLimitKey = index == 1 ? .client : .none
                return Limiter(
                    RateLimit(name: "\(index)", algorithm: algorithm, rate: rate, key: key),
                    tableBytes: 64,
                    now: 0
                )
            }
        )
        let keys: [UInt64] = [0, 5, 0]
        var decisions = [LimitDecision](repeating: LimitDecision(), count: 3)
        func take(_ cost: UInt64) -> Int? {
            var buffer = decisions.mutableSpan
            return set.takeAll(keys: keys.span, cost: cost, now: 7, decisions: &buffer)
        }
        #expect(take(2) == nil)
        #expect(decisions.map(\.remaining) == (0..<3).map { $0 == small ? 0 : 7 })
        for _ in 0..<5 {
            #expect(take(1) == small)
            #expect(decisions.map(\.isAllowed) == (0..<3).map { $0 != small })
            #expect(decisions.map(\.remaining) == (0..<3).map { $0 == small ? 0 : 7 })
        }
    }

    @Test("Where nothing is told of what is allowed, a refusal is told all the same", arguments: 1...2)
    func refusalsOnly(count: Int) {
        let limit = RateLimit(name: "a", rate: .perHour(2))
        let set = LimiterSet((0..<count).map { _ in Limiter(limit, tableBytes: 0, now: 0) })
        let keys = [UInt64](repeating: 0, count: count)
        var decisions = [LimitDecision](repeating: LimitDecision(limit: 77), count: count)
        func take() -> Int? {
            var buffer = decisions.mutableSpan
            return set.takeAll(keys: keys.span, now: 7, tellsAllowed: false, decisions: &buffer)
        }
        #expect(take() == nil)
        #expect(take() == nil)
        #expect(take() == 0)
        #expect(decisions.allSatisfy { !$0.isAllowed && $0.limit == 2 && $0.remaining == 0 && $0.retryAfter > 0 })
    }

    @Test("A take that is given back leaves the limit as it was", arguments: sampleLimits())
    func giveBack(limit: RateLimit) {
        let limiter = Limiter(limit, tableBytes: 0, now: 0)
        _ = limiter.take(key: 0, now: 1000)
        let before = limiter.peek(key: 0, now: 1010)
        _ = limiter.take(key: 0, now: 1010)
        if before.isAllowed { limiter.giveBack(key: 0, now: 1010) }
        #expect(limiter.peek(key: 0, now: 1010) == before)
        limiter.giveBack(key: 0, cost: .max, now: 1010)
        #expect(limiter.peek(key: 0, now: 1010).remaining == limit.burst)
    }

    @Test("What a window before the present one counted is given back there")
    func giveBackOfTheLastWindow() {
        let limit = RateLimit(name: "a", algorithm: .slidingWindow, rate: .perSecond(4))
        let limiter = Limiter(limit, tableBytes: 0, now: 0)
        _ = limiter.take(key: 0, cost: 3, now: 900_000_000)
        _ = limiter.take(key: 0, now: 1_000_000_010)
        limiter.giveBack(key: 0, cost: 3, now: 900_000_000)
        #expect(limiter.peek(key: 0, now: 1_000_000_010).remaining == 3)
    }
}
