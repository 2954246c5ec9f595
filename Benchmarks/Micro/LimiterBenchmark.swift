// SPDX-License-Identifier: Apache-2.0
// Rate limiters: what a take costs, alone and by key.

import WeirFlow

enum LimiterBenchmark {
    static var all: [Benchmark] {
        RateLimitAlgorithm.allCases.map(alone)
            + [refused]
            + RateLimitAlgorithm.allCases.map { keyed($0, "", keyCount: 1 << 20, tableBytes: 32 << 20) }
            + RateLimitAlgorithm.allCases.map { keyed($0, "-cached", keyCount: 1 << 12, tableBytes: 1 << 20) }
            + [4, 10, 17, 24].map(keyedGCRA)
            + [all(of: 2), hash]
    }

    /// A table of two places for each key, and as many keys as powers of two have: a mask then draws one.
    private static func keyedGCRA(bits: Int) -> Benchmark {
        keyed(.gcra, "-\(1 << bits)", keyCount: 1 << bits, tableBytes: 32 << bits, threads: [1])
    }

    private static func limit(_ algorithm: RateLimitAlgorithm, _ key: RateLimitKey) -> RateLimit {
        let amount: UInt64 = algorithm == .slidingWindow ? 131_071 : 1_000_000_000
        return RateLimit(name: "limit", algorithm: algorithm, rate: .perSecond(amount), key: key)
    }

    /// The clock moves 10 µs per operation: nothing is refused.
    private static func now(_ operation: Int) -> Nanoseconds { UInt64(operation) &* 10000 }

    private static func alone(_ algorithm: RateLimitAlgorithm) -> Benchmark {
        Benchmark(name: "limiter-\(algorithm)", threads: [1, 2], operations: 5_000_000) {
            let limiter = Limiter(limit(algorithm, .none), tableBytes: 0, now: 0)
            return { _, count in
                var allowed = 0
                for index in 0..<count where limiter.charge(key: 0, now: now(index)).isAllowed { allowed += 1 }
                precondition(allowed > 0)
            }
        }
    }

    private static var refused: Benchmark {
        Benchmark(name: "limiter-refused", threads: [1, 2], operations: 5_000_000) {
            let limiter = Limiter(RateLimit(name: "limit", rate: .perDay(1)), tableBytes: 0, now: 0)
            return { _, count in
                var refused = 0
                for _ in 0..<count where !limiter.charge(key: 0, now: 1).isAllowed { refused += 1 }
                precondition(refused >= count - 1)
            }
        }
    }

    /// A million keys in a table that holds twice as many: each take is a miss in all caches but the last. Or few.
    private static func keyed(
        _ algorithm: RateLimitAlgorithm,
        _ suffix: String,
        keyCount: Int,
        tableBytes: Int,
        threads: [Int] = [1, 2]
    ) -> Benchmark {
        Benchmark(name: "limiter-keyed-\(algorithm)\(suffix)", threads: threads, operations: 4_000_000) {
            let limiter = Limiter(limit(algorithm, .client), tableBytes: tableBytes, now: 0)
            for key in 0..<keyCount { _ = limiter.charge(key: spread(key), now: 0) }
            return { thread, count in
                var allowed = 0
                // Keys in no order that a prefetcher knows; the threads' keys are different ones.
                var key = thread &* 7919
                for index in 0..<count {
                    key = (key &* 1_664_525 &+ 1_013_904_223) & (keyCount / 2 - 1)
                    if limiter.charge(key: spread(key &* 2 &+ thread & 1), now: now(index)).isAllowed { allowed += 1 }
                }
                precondition(allowed > 0)
            }
        }
    }

    private static func all(of limits: Int) -> Benchmark {
        Benchmark(name: "limiter-all-of-\(limits)", threads: [1, 2], operations: 4_000_000) {
            let set = LimiterSet((0..<limits).map { _ in Limiter(limit(.gcra, .client), tableBytes: 1 << 20, now: 0) })
            return { thread, count in
                var decisions = InlineArray<4, LimitDecision>(repeating: LimitDecision())
                var keys = InlineArray<4, UInt64>(repeating: 0)
                var allowed = 0
                for index in 0..<count {
                    for limit in 0..<limits { keys[limit] = spread((index & 1023) &* 2 &+ thread) }
                    var buffer = decisions.mutableSpan
                    if set.takeAll(keys: keys.span, now: now(index), decisions: &buffer) == nil { allowed += 1 }
                }
                precondition(allowed > 0)
            }
        }
    }

    private static var hash: Benchmark {
        Benchmark(name: "limiter-hash-16-bytes", threads: [1], operations: 10_000_000) {
            let hash = KeyHash(seed: (1, 2))
            return { _, count in
                var bytes = InlineArray<2, UInt64>(repeating: 0)
                for _ in 0..<count { bytes[0] = hash.value(limit: 0, key: bytes.span.bytes) }
                precondition(bytes[0] != 0)
            }
        }
    }

    /// Stands for the hash of a key: its cost is measured by itself.
    private static func spread(_ key: Int) -> UInt64 {
        var mixed = UInt64(key) &+ 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
