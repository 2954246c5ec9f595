// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

@Suite("OutlierComparison") struct OutlierComparisonTests {
    static func window(_ failed: Int, of total: Int, latency: Nanoseconds = 1_000_000) -> OutcomeWindow {
        let outcomes = EndpointOutcomes()
        let start = outcomes.counts
        for number in 0..<total { outcomes.note(number < failed ? .timeout : .answered(latency)) }
        return outcomes.counts - start
    }

    /// All ways in which the failures may fall on the requests, counted one by one.
    private static func slowChance(_ own: OutcomeWindow, _ others: OutcomeWindow) -> Double {
        func choose(_ count: Int, _ chosen: Int) -> Double {
            guard chosen <= count else { return 0 }
            return (0..<chosen).reduce(1) { $0 * Double(count - $1) / Double($1 + 1) }
        }
        let failed = own.failed + others.failed
        let ways = (own.failed...failed).reduce(0) {
            $0 + choose(own.total, $1) * choose(others.total, failed - $1)
        }
        return ways / choose(own.total + others.total, failed)
    }

    @Test("The chance is that of counting all ways", arguments: 1...30 as ClosedRange<UInt64>)
    func exact(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let total = 1 + random.below(60)
        let othersTotal = 1 + random.below(120)
        let own = Self.window(random.below(total + 1), of: total)
        let others = Self.window(random.below(1 + othersTotal * own.failed / total), of: othersTotal)
        let (chance, expected) = (OutlierComparison.chance(own, others), Self.slowChance(own, others))
        #expect(abs(chance - expected) < 1e-9 + 1e-6 * expected, "seed \(seed): \(own) \(others)")
    }

    /// Failures and requests of one and of the others, and whether that is an outlier.
    static let rates: [(Int, Int, Int, Int, Bool)] = [
        (0, 100, 0, 200, false),
        (30, 100, 0, 200, true),
        (10, 30, 0, 60, true),
        (8, 20, 0, 40, false),  // 5 in 100,000: with three endpoints and a comparison each 10 s, once a day
        (20, 20, 0, 20, true),  // two endpoints, one of which fails
        (20, 20, 20, 20, false),
        (300, 1000, 300, 1000, false),
        (300, 1000, 290, 1000, false),
        (19, 19, 0, 1000, false),  // too few requests
        (19, 1000, 0, 19, false),
        (40, 1000, 0, 2000, false),  // certain, but not worth it
        (60, 1000, 0, 2000, true),
        (770, 1000, 680, 1000, false),  // not worth it either: nearly as many would fail elsewhere
        (3, 20, 0, 200, false),
        (100_000, 1_000_000, 10_000, 1_000_000, true),
    ]

    @Test("A share of failures is an outlier's where it is certain and large enough", arguments: rates)
    func rate(failed: Int, total: Int, othersFailed: Int, othersTotal: Int, isOutlier: Bool) {
        let comparison = OutlierComparison(OutlierPolicy())
        let own = Self.window(failed, of: total)
        let others = Self.window(othersFailed, of: othersTotal)
        let expected = EjectionCause.failureRate(own.failureShare, others: others.failureShare)
        #expect(comparison.cause(own, others: others) == (isOutlier ? expected : nil))
    }

    /// Milliseconds of one and of the others, how many answers, and whether that is an outlier.
    static let latencies: [(UInt64, UInt64, Int, Bool)] = [
        (100, 10, 20, true), (100, 10, 19, false), (28, 10, 100, false), (29, 10, 100, false), (64, 16, 100, true),
        (25, 1, 100, true), (16, 1, 100, false), (10, 100, 100, false), (1000, 500, 100, false),
        (2000, 500, 100, true),
    ]

    @Test("A typical latency that comes from latencies that differ much is less certain")
    func spread() {
        let outcomes = EndpointOutcomes()
        let start = outcomes.counts
        // The geometric mean is 64 ms; a half is 256 times as long as the other.
        for number in 0..<20 { outcomes.note(.answered(number % 2 == 0 ? 4_000_000 : 1_024_000_000)) }
        let comparison = OutlierComparison(OutlierPolicy())
        let cause = comparison.cause(outcomes.counts - start, others: Self.window(0, of: 100, latency: 16_000_000))
        #expect(cause == nil)
        let even = comparison.cause(
            Self.window(0, of: 20, latency: 64_000_000),
            others: Self.window(0, of: 100, latency: 16_000_000)
        )
        #expect(even != nil)
    }

    @Test("A latency is an outlier's from three times the others' and 20 ms more", arguments: latencies)
    func latency(own: UInt64, others: UInt64, count: Int, isOutlier: Bool) {
        let comparison = OutlierComparison(OutlierPolicy())
        let cause = comparison.cause(
            Self.window(0, of: count, latency: own * 1_000_000),
            others: Self.window(0, of: count, latency: others * 1_000_000)
        )
        #expect(cause?.label.description == (isOutlier ? "latency" : nil))
        var policy = OutlierPolicy()
        policy.latencyRatio = nil
        let without = OutlierComparison(policy)
            .cause(
                Self.window(0, of: count, latency: own * 1_000_000),
                others: Self.window(0, of: count, latency: others * 1_000_000)
            )
        #expect(without == nil)
    }
}
