// SPDX-License-Identifier: Apache-2.0
// Each algorithm beside its model.

import Testing
import WeirFlow
import WeirTestSupport

@Suite struct LimiterModelTests {
    @Test("A limiter decides as the list of what it allowed says", arguments: sampleLimits())
    func decidesAsTheModel(limit: RateLimit) {
        for seed in 0..<4 as Range<UInt64> {
            var random = SeededGenerator(seed: seed)
            var clock = RestlessClock(limit)
            var model = LimitModel(limit)
            let limiter = Limiter(limit, tableBytes: 0, now: 0)
            for _ in 0..<250 {
                let now = clock.move(&random)
                let cost = random.oneIn(4) ? UInt64(1 + random.below(Int(limit.burst) + 1)) : 1
                let peeked = limiter.peek(key: 0, cost: cost, now: now)
                let decision = limiter.take(key: 0, cost: cost, now: now)
                #expect(peeked.isAllowed == decision.isAllowed)
                if decision.isAllowed {
                    #expect(model.allows(now, cost, slack: model.tolerance), "seed \(seed): allowed too much at \(now)")
                    #expect(peeked.remaining - decision.remaining == cost, "seed \(seed) at \(now)")
                    model.record(now, cost)
                } else {
                    #expect(!model.allows(now, cost, slack: -model.tolerance), "seed \(seed): refused at \(now)")
                    #expect(peeked == decision)
                }
            }
        }
    }

    @Test("What a decision says of the future comes true", arguments: sampleLimits())
    func tellsTheFuture(limit: RateLimit) {
        var random = SeededGenerator(seed: 11)
        var clock = RestlessClock(limit)
        let limiter = Limiter(limit, tableBytes: 0, now: 0)
        let early = Nanoseconds(LimitModel(limit).tolerance) + 2
        for _ in 0..<500 {
            let now = clock.move(&random)
            let cost = UInt64(1 + random.below(Int(limit.burst) + 1))
            let decision = limiter.take(key: 0, cost: cost, now: now)
            #expect(decision.limit == limit.burst)
            let rest = limiter.peek(key: 0, cost: limit.burst, now: now + decision.resetAfter)
            #expect(rest.isAllowed && rest.remaining == limit.burst)
            if decision.remaining > 0 {
                #expect(limiter.peek(key: 0, cost: decision.remaining, now: now).isAllowed)
            }
            #expect(!limiter.peek(key: 0, cost: decision.remaining + 1, now: now).isAllowed)
            if decision.isAllowed {
                #expect(decision.retryAfter == 0)
            } else if cost > limit.burst {
                #expect(decision.retryAfter == LimitDecision.never)
            } else {
                #expect(decision.retryAfter > 0)
                #expect(limiter.peek(key: 0, cost: cost, now: now + decision.retryAfter).isAllowed)
                if decision.retryAfter > early {
                    #expect(!limiter.peek(key: 0, cost: cost, now: now + decision.retryAfter - early).isAllowed)
                }
            }
        }
    }

    @Test("A token bucket and GCRA decide alike")
    func duals() {
        var random = SeededGenerator(seed: 5)
        let limits = [RateLimitAlgorithm.gcra, .tokenBucket].map {
            RateLimit(name: "a", algorithm: $0, rate: .perSecond(7), burst: 9)
        }
        let limiters = limits.map { Limiter($0, tableBytes: 0, now: 0) }
        var clock = RestlessClock(limits[0])
        for _ in 0..<2000 {
            let now = clock.move(&random)
            let cost = UInt64(1 + random.below(10))
            #expect(limiters[0].take(key: 0, cost: cost, now: now) == limiters[1].take(key: 0, cost: cost, now: now))
        }
    }

    @Test("A rate is exact over a day", arguments: [3, 7, 999, 999_999, 999_999_937, 1_000_000_000] as [UInt64])
    func exactRate(amount: UInt64) {
        let limiter = Limiter(RateLimit(name: "a", rate: .perSecond(amount), burst: 1), tableBytes: 0, now: 0)
        let day: Nanoseconds = 86400 * Rate.second
        _ = limiter.take(key: 0, now: 0)
        // The instants at which the thousandth request of each thousandth of a day is due, exactly.
        for step in stride(from: day / 1000, through: day, by: Int(day / 1000)) {
            #expect(limiter.take(key: 0, now: step).isAllowed)
        }
        let wait = limiter.peek(key: 0, now: day).retryAfter
        let interval = (Rate.second + amount - 1) / amount
        #expect(wait >= interval - 1 && wait <= interval + 2)
    }

    @Test("The ends of all ranges hold", arguments: RateLimitAlgorithm.allCases)
    func extremes(algorithm: RateLimitAlgorithm) {
        let year = Rate.periods.upperBound
        var limits: [RateLimit] = [
            RateLimit(name: "a", algorithm: algorithm, rate: Rate(amount: 1, period: year), burst: 1),
            RateLimit(name: "b", algorithm: algorithm, rate: Rate(amount: 65535, period: year), burst: 65535),
        ]
        if algorithm != .slidingWindow {
            limits += [
                RateLimit(name: "c", algorithm: algorithm, rate: .perSecond(1_000_000_000), burst: 1_000_000_000),
                RateLimit(name: "d", algorithm: algorithm, rate: Rate(amount: 1_000_000_000, period: year)),
                RateLimit(name: "e", algorithm: algorithm, rate: .perDay(1), burst: 365),
            ]
        } else {
            limits.append(RateLimit(name: "f", algorithm: algorithm, rate: .perSecond(131_071)))
        }
        for limit in limits {
            for now in [0, 1, 1 << 58, 1 << 59, 1 << 63, .max] as [Nanoseconds] {
                let limiter = Limiter(limit, tableBytes: 0, now: 0)
                #expect(limiter.take(key: 0, cost: limit.burst, now: now).isAllowed, "\(limit.name) at \(now)")
                #expect(!limiter.take(key: 0, cost: 1, now: now).isAllowed, "\(limit.name) at \(now)")
                #expect(!limiter.take(key: 0, cost: .max, now: now).isAllowed)
                #expect(!limiter.take(key: 0, cost: 1, now: 0).isAllowed)
                #expect(limiter.take(key: 0, cost: 0, now: now).remaining == 0)
            }
        }
    }

    @Test("A clock that leaps ahead and comes back grants nothing", arguments: sampleLimits())
    func clockComesBack(limit: RateLimit) {
        let limiter = Limiter(limit, tableBytes: 0, now: 0)
        let future = 50 * limit.rate.period
        #expect(limiter.take(key: 0, cost: limit.burst, now: future).isAllowed)
        for now in stride(from: 0, through: future, by: Int(limit.rate.period)) {
            #expect(!limiter.take(key: 0, now: now).isAllowed)
        }
    }
}
