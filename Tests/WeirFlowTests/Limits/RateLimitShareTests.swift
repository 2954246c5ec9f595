// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirFlow
import WeirTestSupport

@Suite struct RateLimitShareTests {
    private static let day = 86400 * Rate.second

    /// A limit of the cluster, how many share it, and the share of one.
    struct Share: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let whole: RateLimit
        let replicas: UInt64
        let rate: Rate
        let burst: UInt64

        init(_ what: String, _ whole: RateLimit, _ replicas: UInt64, _ rate: Rate, burst: UInt64) {
            testDescription = what
            self.whole = whole
            self.replicas = replicas
            self.rate = rate
            self.burst = burst
        }
    }

    private static func limit(_ rate: Rate, _ algorithm: RateLimitAlgorithm = .gcra, burst: UInt64? = nil) -> RateLimit
    {
        RateLimit(name: "n", algorithm: algorithm, rate: rate, burst: burst, key: .none)
    }

    static let shares = [
        Share("an even share", limit(.perSecond(100)), 4, .perSecond(25), burst: 25),
        Share("a share is rounded down", limit(.perSecond(100), burst: 20), 3, .perSecond(33), burst: 6),
        Share("a burst is at least 1", limit(.perSecond(100), burst: 2), 3, .perSecond(33), burst: 1),
        Share("one request for each", limit(.perMinute(7)), 7, .perMinute(1), burst: 1),
        Share(
            "fewer requests than replicas come less often",
            limit(.perMinute(5)),
            10,
            Rate(amount: 5, period: 600 * Rate.second),
            burst: 1
        ),
        Share(
            "the longest period has its part",
            limit(.perDay(50)),
            1000,
            Rate(amount: 18, period: 365 * day),
            burst: 1
        ),
        Share(
            "the longest period has at least one",
            limit(Rate(amount: 1, period: 365 * day)),
            100_000,
            Rate(amount: 1, period: 365 * day),
            burst: 1
        ),
        Share(
            "nothing overflows",
            limit(Rate(amount: 50, period: 365 * day)),
            .max,
            Rate(amount: 1, period: 365 * day),
            burst: 1
        ),
        Share(
            "a sliding window's quota is its amount",
            limit(.perSecond(100), .slidingWindow),
            3,
            .perSecond(33),
            burst: 33
        ),
        Share(
            "so it is over a longer period",
            limit(.perSecond(2), .slidingWindow),
            3,
            Rate(amount: 2, period: 3 * Rate.second),
            burst: 2
        ),
        Share(
            "a burst that the slower rate would not refill in a year is 1",
            limit(Rate(amount: 199, period: day), burst: 365 * 199),
            100,
            .perDay(1),
            burst: 1
        ),
    ]

    @Test(arguments: shares)
    func `a replica's share of a limit`(share: Share) {
        let divided = share.whole.divided(by: share.replicas)
        #expect(divided.rate == share.rate)
        #expect(divided.burst == share.burst)
        #expect(divided.algorithm == share.whole.algorithm && divided.name == "n" && divided.key == .none)
    }

    @Test(arguments: [0, 1] as [UInt64])
    func `nobody shares with itself`(replicas: UInt64) {
        let whole = Self.limit(.perSecond(7), .tokenBucket, burst: 3)
        #expect(whole.divided(by: replicas) == whole)
    }

    @Test func `all shares together are never above the limit where its period can be longer`() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<10_000 {
            let rate = Rate(amount: .random(in: 1...1_000_000, using: &random), period: Rate.second)
            let replicas = UInt64.random(in: 1...100_000, using: &random)
            let share = Self.limit(rate).divided(by: replicas).rate
            let all = UInt128(share.amount) * UInt128(replicas) * UInt128(rate.period)
            #expect(all <= UInt128(rate.amount) * UInt128(share.period))
        }
    }
}
