// SPDX-License-Identifier: Apache-2.0
// What loops record, and what the sums tell.

import Testing
import WeirFlow

@Suite struct LatencySamplesTests {
    @Test func `all loops are added up, those at the limit apart`() {
        let samples = LatencySamples(loopCount: 3, limit: 5)
        for (loop, inFlight) in [(0, 4), (1, 5), (2, 6), (1, 1), (0, 5)] {
            samples.record(loop: loop, latency: 1_000_000, inFlight: inFlight)
        }
        samples.recordFailure(loop: 2)
        let totals = samples.totals
        #expect(totals.bound.count == 3)
        #expect(totals.free.count == 2)
        #expect(totals.failureCount == 1)
        #expect(totals.endedCount == 6)
        #expect(totals.bound.mean == 1_000_000)
        samples.record(loop: 0, latency: 3_000_000, inFlight: 1)
        let since = samples.totals - totals
        #expect(since.all.count == 1)
        #expect(since.all.mean == 3_000_000)
    }

    @Test(arguments: [([100, 100, 100], 0.0), ([100, 300], 0.5), ([100, 100, 100, 100, 600], 0.5), ([], .infinity)])
    func `the error is the standard error over the mean`(milliseconds: [UInt64], expected: Double) {
        let samples = LatencySamples(loopCount: 1)
        for latency in milliseconds { samples.record(loop: 0, latency: latency * 1_000_000, inFlight: 1) }
        let error = samples.totals.all.error
        #expect(error == expected || abs(error - expected) < 0.001)
    }

    @Test func `sums that have wrapped round tell the same`() {
        let latency: Nanoseconds = 60_000_000_000
        let samples = LatencySamples(loopCount: 1)
        // The sum of squares passes 64 bits once.
        for _ in 0..<100_000 { samples.record(loop: 0, latency: latency, inFlight: 1) }
        let before = samples.totals
        for _ in 0..<100 { samples.record(loop: 0, latency: latency, inFlight: 1) }
        let since = (samples.totals - before).all
        #expect(since.mean == 60_000_000_000)
        #expect(since.error < 0.0001)
    }

    @Test func `no loop loses a sample to another`() async {
        let samples = LatencySamples(loopCount: 4, limit: 2)
        await withTaskGroup { group in
            for loop in 0..<4 {
                group.addTask {
                    for count in 0..<20_000 { samples.record(loop: loop, latency: 10, inFlight: 1 + count % 2) }
                }
            }
        }
        #expect(samples.totals.bound.count == 40_000)
        #expect(samples.totals.free.count == 40_000)
        #expect(samples.totals.all.mean == 10)
    }
}
