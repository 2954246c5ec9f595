// SPDX-License-Identifier: Apache-2.0
// The guarantee of the keyed table: no sequence of keys gets a key more than its limit.

import Testing
import WeirFlow
import WeirTestSupport

@Suite struct KeyedLimiterTests {
    @Test("Alone in its table a key is limited as a limit without key", arguments: sampleLimits(key: .client))
    func alone(limit: RateLimit) {
        var random = SeededGenerator(seed: 3)
        var clock = RestlessClock(limit)
        let plain = RateLimit(name: limit.name, algorithm: limit.algorithm, rate: limit.rate, burst: limit.burst)
        let (keyed, lone) = (Limiter(limit, tableBytes: 64, now: 0), Limiter(plain, tableBytes: 0, now: 0))
        for _ in 0..<500 {
            let now = clock.move(&random)
            let cost = UInt64(1 + random.below(3))
            #expect(keyed.take(key: 42, cost: cost, now: now) == lone.take(key: 0, cost: cost, now: now))
        }
    }

    @Test("However keys push each other out, none gets more than its limit", arguments: sampleLimits(key: .client))
    func guarantee(limit: RateLimit) {
        for (seed, keyCount) in [(1, 5), (2, 8), (3, 30), (4, 200)] as [(UInt64, Int)] {
            var random = SeededGenerator(seed: seed)
            // A newcomer's window is the latest that its bucket has seen: a clock that steps back cannot be its measure.
            var clock = RestlessClock(limit, stepsBack: limit.algorithm != .slidingWindow)
            var models = Array(repeating: LimitModel(limit), count: keyCount)
            let limiter = Limiter(limit, tableBytes: 64, now: 0)
            for step in 0..<1000 {
                // The clock moves seldom, so that the bucket is full of keys that are limited.
                let now = random.oneIn(8) ? clock.move(&random) : clock.now
                let key = step.isMultiple(of: 3) ? step / 3 % 2 : random.below(keyCount)
                let cost = UInt64(1 + random.below(2))
                guard limiter.take(key: UInt64(key + 1), cost: cost, now: now).isAllowed else { continue }
                #expect(
                    models[key].allows(now, cost, slack: models[key].tolerance),
                    "seed \(seed), key \(key) got too much at \(now)"
                )
                models[key].record(now, cost)
            }
        }
    }

    @Test("A key that a flood pushes out does not come back with its burst", arguments: RateLimitAlgorithm.allCases)
    func flood(algorithm: RateLimitAlgorithm) {
        let limiter = Limiter(
            RateLimit(name: "a", algorithm: algorithm, rate: .perHour(10), key: .client),
            tableBytes: 64,
            now: 0
        )
        #expect(limiter.take(key: 1, cost: 10, now: 7).isAllowed)
        for stranger in 100..<1000 as Range<UInt64> { _ = limiter.take(key: stranger, now: 7) }
        #expect(!limiter.take(key: 1, now: 7).isAllowed)
        // Three other entries are there to be handed on, ten requests each.
        #expect(limiter.usage(now: 7).entriesInUse == 4)
        #expect(!limiter.take(key: 5000, now: 7).isAllowed, "a stranger in a full bucket starts where others left")
    }

    @Test(
        "A clock that leaps back grants nothing, neither to the keys of a full bucket nor to strangers",
        arguments: sampleLimits(key: .client)
    )
    func clockLeapsBack(limit: RateLimit) {
        let limiter = Limiter(limit, tableBytes: 64, now: 0)
        let future = 50 * limit.rate.period
        for key in 1...4 as ClosedRange<UInt64> {
            #expect(limiter.take(key: key, cost: limit.burst, now: future).isAllowed)
        }
        var stranger: UInt64 = 100
        for now in stride(from: 0, through: future, by: Int(limit.rate.period / 2)) {
            for _ in 0..<8 {
                stranger += 1
                #expect(!limiter.take(key: stranger, now: now).isAllowed, "a stranger at \(now)")
            }
            for key in 1...4 as ClosedRange<UInt64> {
                #expect(!limiter.take(key: key, now: now).isAllowed, "key \(key) at \(now)")
            }
        }
        // Two windows, or the time in which the burst comes back.
        let later = future + limit.rate.period * (2 + limit.burst / limit.rate.amount)
        #expect(limiter.take(key: 1, now: later).isAllowed)
    }

    @Test(
        "The key with the most left is forgotten first, one at rest before all",
        arguments: RateLimitAlgorithm.allCases
    )
    func order(algorithm: RateLimitAlgorithm) {
        let limiter = Limiter(
            RateLimit(name: "a", algorithm: algorithm, rate: .perHour(10), key: .client),
            tableBytes: 64,
            now: 0
        )
        for (key, cost) in [(1, 9), (2, 7), (3, 2), (4, 8)] as [(UInt64, UInt64)] {
            _ = limiter.take(key: key, cost: cost, now: 7)
        }
        #expect(limiter.usage(now: 7).evictions == 0)
        #expect(limiter.take(key: 5, now: 7).remaining == 7, "it has what key 3 had left, less one")
        #expect(limiter.usage(now: 7).evictions == 1)
        for (key, left) in [(1, 1), (2, 3), (4, 2)] as [(UInt64, UInt64)] {
            #expect(limiter.peek(key: key, now: 7).remaining == left)
        }
        let later: Nanoseconds = 3 * 3600 * Rate.second
        #expect(limiter.usage(now: later).entriesInUse == 0)
        #expect(limiter.take(key: 6, now: later).remaining == 9, "all are at rest, so a stranger has its full quota")
        #expect(limiter.usage(now: later).evictions == 1)
    }

    @Test("How full a table is, is told from 1 MiB of it", arguments: [(1, 1), (2, 2), (8, 8), (8, 1)])
    func usage(mebibytes: Int, share: Int) {
        let limiter = Limiter(
            RateLimit(name: "a", rate: .perHour(10), key: .client),
            tableBytes: mebibytes << 20,
            now: 0
        )
        var random = SeededGenerator(seed: 9)
        // A bucket holds four: at an eighth of the table next to no key finds its bucket full.
        let keys = share << 13
        for _ in 0..<keys { _ = limiter.take(key: random.next(), now: 7) }
        let usage = limiter.usage(now: 7)
        #expect(usage.entriesMax == mebibytes << 16)
        #expect(usage.entriesRead == 1 << 16)
        #expect(abs(usage.entriesInUse + Int(usage.evictions) - keys) <= usage.entriesMax / 100)
    }

    @Test("A stranger that is refused takes nobody's place")
    func refusedStranger() {
        let limiter = Limiter(RateLimit(name: "a", rate: .perHour(3), key: .client), tableBytes: 64, now: 0)
        for key in 1...4 as ClosedRange<UInt64> { _ = limiter.take(key: key, cost: 3, now: 7) }
        let before = limiter.usage(now: 7)
        for stranger in 10..<20 as Range<UInt64> { #expect(!limiter.take(key: stranger, now: 7).isAllowed) }
        #expect(limiter.usage(now: 7) == before)
    }

    @Test("What is given back is no more than was taken, and does not make a key the next to be forgotten")
    func giveBack() {
        let limiter = Limiter(RateLimit(name: "a", rate: .perHour(10), key: .client), tableBytes: 64, now: 0)
        _ = limiter.take(key: 1, cost: 4, now: 7)
        limiter.giveBack(key: 1, cost: 3, now: 7)
        #expect(limiter.peek(key: 1, now: 7).remaining == 9)
        limiter.giveBack(key: 2, cost: 3, now: 7)
        #expect(limiter.usage(now: 7).entriesInUse == 1)
        for key in 2...4 as ClosedRange<UInt64> { _ = limiter.take(key: key, cost: 5, now: 7) }
        _ = limiter.take(key: 1, cost: 5, now: 7)
        limiter.giveBack(key: 1, cost: 5, now: 7)
        #expect(limiter.peek(key: 1, now: 7).remaining == 4, "1 is left taken: 4 others are as far")
    }
}
