// SPDX-License-Identifier: Apache-2.0
// A reload: what was used stays used.

import Testing
import WeirFlow
import WeirTestSupport

@Suite struct LimiterAdoptTests {
    private static let now: Nanoseconds = 12_345_678_901

    private func limit(_ algorithm: RateLimitAlgorithm, _ rate: Rate, _ burst: UInt64, _ key: RateLimitKey) -> RateLimit
    {
        let rate = algorithm == .slidingWindow ? Rate(amount: burst, period: rate.period) : rate
        return RateLimit(name: "a", algorithm: algorithm, rate: rate, burst: burst, key: key)
    }

    @Test(
        "After a reload there is left what the stricter of both would have left",
        arguments: RateLimitAlgorithm.allCases,
        RateLimitAlgorithm.allCases
    )
    func rescaled(old: RateLimitAlgorithm, new: RateLimitAlgorithm) {
        for (burst, newBurst, taken, left) in [
            (10, 10, 0, 10), (10, 10, 4, 6), (10, 10, 10, 0), (10, 20, 4, 6), (10, 20, 10, 0), (20, 10, 4, 6),
            (20, 10, 15, 0), (20, 10, 20, 0), (1, 1000, 1, 0), (1000, 1, 1, 0),
        ] as [(UInt64, UInt64, UInt64, UInt64)] {
            for key in [.none, .client] as [RateLimitKey] {
                for (rate, newRate) in [(Rate.perHour(7), .perHour(3)), (.perHour(3), .perDay(1000))] as [(Rate, Rate)]
                {
                    let before = Limiter(limit(old, rate, burst, key), tableBytes: 64, now: 3)
                    _ = before.take(key: 9, cost: taken, now: Self.now)
                    let after = Limiter(limit(new, newRate, newBurst, key), tableBytes: 128, now: 1000)
                    after.adopt(from: before, now: Self.now)
                    // A key that took nothing is not known, so it starts new.
                    let expected = key == .client && taken == 0 ? newBurst : left
                    #expect(
                        after.peek(key: 9, now: Self.now).remaining == expected,
                        "\(burst) to \(newBurst), \(taken)"
                    )
                }
            }
        }
    }

    @Test("An empty limit fills up at the new rate")
    func fillsUp() {
        let before = Limiter(limit(.gcra, .perSecond(1), 10, .none), tableBytes: 0, now: 0)
        _ = before.take(key: 0, cost: 10, now: Self.now)
        let after = Limiter(limit(.gcra, .perSecond(100), 10, .none), tableBytes: 0, now: 0)
        after.adopt(from: before, now: Self.now)
        #expect(!after.peek(key: 0, now: Self.now).isAllowed)
        #expect(after.peek(key: 0, now: Self.now + 50_000_001).remaining == 5)
        #expect(after.peek(key: 0, cost: 10, now: Self.now).retryAfter <= 100_000_002)
    }

    @Test("Keys of a large table in a small one have no more than they had", arguments: RateLimitAlgorithm.allCases)
    func smallerTable(algorithm: RateLimitAlgorithm) {
        var random = SeededGenerator(seed: 8)
        let before = Limiter(limit(algorithm, .perHour(20), 20, .client), tableBytes: 4096, now: 0)
        let keys = (0..<200).map { _ in random.next() }
        var now: Nanoseconds = 3500 * Rate.second
        for _ in 0..<4000 {
            now += UInt64(random.below(Int(Rate.second / 10)))
            _ = before.take(key: keys[random.below(200)], now: now)
        }
        let after = Limiter(limit(algorithm, .perHour(20), 20, .client), tableBytes: 64, now: now)
        after.adopt(from: before, now: now)
        for key in keys {
            #expect(after.peek(key: key, now: now).remaining <= before.peek(key: key, now: now).remaining)
        }
        #expect(after.usage(now: now).entriesInUse == 4)
    }

    @Test("States of other keys say nothing")
    func otherKey() {
        let before = Limiter(limit(.gcra, .perHour(5), 5, .client), tableBytes: 64, now: 0)
        _ = before.take(key: 1, cost: 5, now: 7)
        for key in [.none, .host, .header("a")] as [RateLimitKey] {
            let after = Limiter(limit(.gcra, .perHour(5), 5, key), tableBytes: 64, now: 0)
            after.adopt(from: before, now: 7)
            #expect(after.peek(key: 1, now: 7).remaining == 5)
        }
    }
}
