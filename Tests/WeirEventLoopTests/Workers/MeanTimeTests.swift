// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop

@Suite struct MeanTimeTests {
    @Test func `before anything was measured nothing is told`() {
        #expect(MeanTime().drainTime(of: 100, running: 1) == 0)
    }

    @Test func `so many take the mean of those that were done, as many at a time as run`() {
        var mean = MeanTime()
        mean.note(2_000_000_000)
        #expect(mean.drainTime(of: 10, running: 4) == 5_000_000_000)
        #expect(mean.drainTime(of: 0, running: 4) == 0)
        #expect(mean.drainTime(of: 3, running: 0) == 6_000_000_000)
    }

    @Test(arguments: [(UInt64(1_000_000), UInt64(4_000_000_000)), (4_000_000_000, 1_000_000)])
    func `it follows what changes, and one piece moves it by an eighth`(before: Nanoseconds, after: Nanoseconds) {
        var mean = MeanTime()
        mean.note(before)
        mean.note(after)
        let eighth = Double(before) + (Double(after) - Double(before)) / 8
        #expect(abs(Double(mean.nanoseconds) - eighth) < 10)
        for _ in 0..<200 { mean.note(after) }
        #expect(abs(Double(mean.nanoseconds) - Double(after)) < 0.01 * Double(after) + 10)
    }

    @Test func `whatever is noted, products fit`() {
        var mean = MeanTime()
        for _ in 0..<100 { mean.note(.max) }
        #expect(mean.drainTime(of: .max, running: 1) <= 3_600_000_000_000 << 20)
        mean.note(0)
        #expect(mean.nanoseconds > 0)
    }
}
