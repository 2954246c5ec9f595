// SPDX-License-Identifier: Apache-2.0
// Limiters under real threads.

import Synchronization
import Testing
import WeirFlow
import WeirTestSupport

@Suite struct LimiterThreadTests {
    private static let threads = 4

    @Test("Threads share out the burst to the last request", arguments: RateLimitAlgorithm.allCases)
    func burst(algorithm: RateLimitAlgorithm) {
        let limit = RateLimit(name: "a", algorithm: algorithm, rate: .perSecond(10000))
        let limiter = Limiter(limit, tableBytes: 0, now: 0)
        let allowed = Atomic<Int>(0)
        inThreads(Self.threads) { _ in
            for _ in 0..<10000 where limiter.take(key: 0, now: 7).isAllowed { allowed.add(1, ordering: .relaxed) }
        }
        #expect(allowed.load(ordering: .relaxed) == 10000)
    }

    @Test(
        "With a clock that moves, threads get what the rate brings",
        arguments: [.gcra, .tokenBucket] as [RateLimitAlgorithm]
    )
    func rate(algorithm: RateLimitAlgorithm) {
        let limit = RateLimit(name: "a", algorithm: algorithm, rate: .perSecond(1_000_000), burst: 10)
        let limiter = Limiter(limit, tableBytes: 0, now: 0)
        let clock = Atomic<Nanoseconds>(0)
        let allowed = Atomic<Int>(0)
        inThreads(Self.threads) { _ in
            for _ in 0..<20000 {
                let now = clock.wrappingAdd(100, ordering: .relaxed).oldValue
                if limiter.take(key: 0, now: now).isAllowed { allowed.add(1, ordering: .relaxed) }
            }
        }
        // 80,000 steps of 100 ns bring 8,000, beside the burst.
        #expect(allowed.load(ordering: .relaxed) <= 8010)
        #expect(allowed.load(ordering: .relaxed) >= 7900)
    }

    @Test(
        "Threads that push each other's keys out of a bucket get no key twice",
        arguments: RateLimitAlgorithm.allCases,
        [4, 5, 9, 40]
    )
    func keys(algorithm: RateLimitAlgorithm, keyCount: Int) {
        let limit = RateLimit(name: "a", algorithm: algorithm, rate: .perHour(50), key: .client)
        for round in 0..<20 as Range<UInt64> {
            let limiter = Limiter(limit, tableBytes: 64, now: 0)
            let allowed = AllowedByKey()
            inThreads(Self.threads) { thread in
                var random = SeededGenerator(seed: round * 10 + UInt64(thread))
                for _ in 0..<2000 {
                    let key = random.below(keyCount)
                    if limiter.take(key: UInt64(key + 1), now: 7).isAllowed { allowed.add(key) }
                }
            }
            for key in 0..<keyCount { #expect(allowed[key] <= 50, "round \(round), key \(key)") }
        }
    }

    @Test("Threads with clocks of their own get no key more than the fastest clock brings")
    func keysAndClocks() {
        let limit = RateLimit(name: "a", rate: .perSecond(1_000_000), burst: 3, key: .client)
        for round in 0..<10 as Range<UInt64> {
            let limiter = Limiter(limit, tableBytes: 64, now: 0)
            let allowed = AllowedByKey()
            inThreads(Self.threads) { thread in
                var random = SeededGenerator(seed: round * 10 + UInt64(thread))
                for step in 0..<4000 as Range<UInt64> {
                    let key = random.below(7)
                    if limiter.take(key: UInt64(key + 1), now: step * 50).isAllowed { allowed.add(key) }
                }
            }
            // 4,000 steps of 50 ns are 200 µs.
            for key in 0..<7 { #expect(allowed[key] <= 203, "round \(round), key \(key)") }
        }
    }

    @Test("All or nothing between threads: what is refused is given back")
    func allOrNothing() {
        let names = ["a", "b"]
        let limiters = names.map {
            Limiter(RateLimit(name: $0, rate: .perHour(1000), burst: 1000), tableBytes: 0, now: 0)
        }
        let allowed = Atomic<Int>(0)
        inThreads(Self.threads) { thread in
            // In both orders, so that each is the one that refuses.
            let mine = LimiterSet(thread.isMultiple(of: 2) ? limiters : limiters.reversed())
            let keys: [UInt64] = [0, 0]
            var decisions = [LimitDecision](repeating: LimitDecision(), count: 2)
            for _ in 0..<2000 {
                var buffer = decisions.mutableSpan
                if mine.takeAll(keys: keys.span, now: 7, decisions: &buffer) == nil {
                    allowed.add(1, ordering: .relaxed)
                }
            }
        }
        let count = allowed.load(ordering: .relaxed)
        #expect(count <= 1000)
        for limiter in limiters {
            #expect(limiter.peek(key: 0, now: 7).remaining == UInt64(1000 - count), "none is charged for a refusal")
        }
    }
}

/// How often each key was allowed.
private final class AllowedByKey: Sendable {
    // Relaxed: read when the threads have ended.
    private let counts = InlineArray<40, Atomic<Int>> { _ in Atomic(0) }

    func add(_ key: Int) { counts[key].add(1, ordering: .relaxed) }

    subscript(key: Int) -> Int { counts[key].load(ordering: .relaxed) }
}
