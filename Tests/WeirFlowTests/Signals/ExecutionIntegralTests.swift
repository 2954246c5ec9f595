// SPDX-License-Identifier: Apache-2.0
// The integral of what executes: known schedules, readings at any time, and readers beside the writer.

import Synchronization
import Testing
import WeirFlow
import WeirTestSupport

@Suite struct ExecutionIntegralTests {
    private static let second: Nanoseconds = 1_000_000_000

    @Test func `each request adds its time`() {
        let integral = ExecutionIntegral(now: 100)
        integral.begin(now: 200)
        integral.begin(now: 300)
        integral.end(begun: 200, now: 350)
        let some = integral.snapshot(now: 500)
        #expect(some.executing == 1)
        #expect(some.requestNanoseconds == 100 + 100 + 150)
        #expect(some.completions == 1)
        #expect(some.completedNanoseconds == 150)
        #expect(some.instant == 500)
        integral.end(begun: 300, now: 600)
        let all = integral.snapshot(now: 900)
        #expect(all.executing == 0)
        #expect(all.requestNanoseconds == 450)
        #expect(all.completions == 2)
        #expect(all.completedNanoseconds == 450)
    }

    @Test(arguments: [1, 15, 60] as [UInt64])
    func `scraped at any interval, the mean concurrency is exact`(scrapeSeconds: UInt64) {
        // Bursts of 50 requests of 3 ms each 7 ms, and one request of 40 s: 50 × 3 / 7 and 1 on average.
        let integral = ExecutionIntegral(now: 0)
        let interval = scrapeSeconds * Self.second
        var nextScrape = interval
        var previous: UInt64 = 0
        var means: [Double] = []
        integral.begin(now: 0)
        for period in 0..<40_000 as Range<UInt64> {
            let start = period * 7_000_000
            while nextScrape <= start {
                let integral = integral.snapshot(now: nextScrape).requestNanoseconds
                means.append(Double(integral - previous) / Double(interval))
                previous = integral
                nextScrape += interval
            }
            for _ in 0..<50 { integral.begin(now: start) }
            for _ in 0..<50 { integral.end(begun: start, now: start + 3_000_000) }
        }
        #expect(means.count == Int(279 / scrapeSeconds))
        // A scrape that falls within a burst sees part of it: at most 50 × 3 ms of 1 s, at either end.
        let expected = 50.0 * 3 / 7 + 1
        let mean = means.reduce(0, +) / Double(means.count)
        #expect(abs(mean - expected) / expected < 0.001)
        #expect(means.allSatisfy { abs($0 - expected) <= 0.15 / Double(scrapeSeconds) })
    }

    @Test func `loops are added up`() {
        let first = ExecutionIntegral(now: 0)
        let second = ExecutionIntegral(now: 0)
        first.begin(now: 10)
        second.begin(now: 20)
        second.end(begun: 20, now: 25)
        let both = first.snapshot(now: 30) + second.snapshot(now: 31)
        let expected = ExecutionSnapshot(
            executing: 1,
            requestNanoseconds: 25,
            completions: 1,
            completedNanoseconds: 5,
            instant: 31
        )
        #expect(both == expected)
    }

    @Test func `an instant that the loop had already is no step back`() {
        let integral = ExecutionIntegral(now: 1000)
        integral.begin(now: 900)
        integral.begin(now: 1000)
        integral.end(begun: 900, now: 990)
        let snapshot = integral.snapshot(now: 1010)
        #expect(snapshot.executing == 1)
        #expect(snapshot.requestNanoseconds == 10)
    }

    @Test func `what was told stays told, though the loop writes of an earlier instant`() {
        let integral = ExecutionIntegral(now: 0)
        integral.begin(now: 0)
        integral.begin(now: 0)
        #expect(integral.snapshot(now: 1000).requestNanoseconds == 2000)
        integral.end(begun: 0, now: 500)
        // By now it is 500 × 2 + 501.
        #expect(integral.snapshot(now: 1001).requestNanoseconds == 2000)
        #expect(integral.snapshot(now: 2000).requestNanoseconds == 2500)
    }

    @Test func `readers see no half of a change, and no step back`() async {
        let shared = SharedIntegral()
        await withTaskGroup { group in
            group.addTask {
                // At an odd instant one more executes, at the next one less: by an even instant t the integral is t / 2,
                // and by an odd one half an instant less.
                for step in 0..<100_000 as Range<UInt64> {
                    shared.integral.begin(now: 2 * step + 1)
                    shared.integral.end(begun: 2 * step + 1, now: 2 * step + 2)
                }
                shared.isDone.store(true, ordering: .releasing)
            }
            for _ in 0..<2 {
                group.addTask {
                    var last: UInt64 = 0
                    var wrong = 0
                    repeat {
                        let snapshot = shared.integral.snapshot(now: 0)
                        let isOdd = snapshot.executing == 1
                        let integral = isOdd ? (snapshot.instant - 1) / 2 : snapshot.instant / 2
                        if (snapshot.instant % 2 == 1) != isOdd { wrong += 1 }
                        if snapshot.completions != integral { wrong += 1 }
                        // Another reader may have been told more since.
                        if snapshot.requestNanoseconds < max(last, integral) { wrong += 1 }
                        last = snapshot.requestNanoseconds
                    } while !shared.isDone.load(ordering: .acquiring)
                    #expect(wrong == 0)
                    #expect(shared.integral.snapshot(now: 0).requestNanoseconds == 100_000)
                }
            }
        }
    }
}

private final class SharedIntegral: Sendable {
    let integral = ExecutionIntegral(now: 0)
    let isDone = Atomic(false)
}
