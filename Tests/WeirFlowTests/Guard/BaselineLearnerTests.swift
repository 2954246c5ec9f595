// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirFlow
import WeirTestSupport

@Suite("BaselineLearner") struct BaselineLearnerTests {
    @Test("The median is that of all values while these are few, and unknown before there are enough")
    func few() {
        var random = SeededGenerator(seed: 1)
        var samples = BaselineSamples(ratio: 1000, least: 1000)
        for value in 1...BaselineSamples.capacity {
            samples.add(Double(value), using: &random)
            let expected = value >= BaselineSamples.enough ? Double(value + 1) / 2 : nil
            #expect(samples.median == expected)
        }
    }

    @Test("Of very many values each is as likely to be in the sample", arguments: 1...10 as ClosedRange<UInt64>)
    func many(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var samples = BaselineSamples(ratio: 1000, least: 100_000)
        for value in 0..<2000 { samples.add(Double(value), using: &random) }
        // The standard error of a median of 96 is 5 % of the range.
        let median = try #require(samples.median)
        #expect(median > 600 && median < 1400, "seed \(seed)")
    }

    @Test("A value far above the median is not taken in, and one that is little above it is")
    func poison() {
        var random = SeededGenerator(seed: 2)
        var samples = BaselineSamples(ratio: 2.5, least: 1)
        for _ in 0..<BaselineSamples.enough { samples.add(10, using: &random) }
        #expect(!samples.add(25.1, using: &random))
        #expect(samples.add(25, using: &random))
        #expect(samples.add(0, using: &random))
        for _ in 0..<1000 { samples.add(100, using: &random) }
        #expect(samples.median == 10)
    }

    @Test("A median near zero does not shut everything out")
    func zero() {
        var random = SeededGenerator(seed: 3)
        var samples = BaselineSamples(ratio: 2.5, least: 4)
        for _ in 0..<BaselineSamples.enough { samples.add(0, using: &random) }
        #expect(samples.add(10, using: &random))
        #expect(!samples.add(10.1, using: &random))
    }

    @Test("Up to nearly a half may be bad from the start")
    func badStart() {
        var random = SeededGenerator(seed: 4)
        var samples = BaselineSamples(ratio: 2.5, least: 1)
        for number in 0..<50 { samples.add(number % 5 < 2 ? 1000 : 10, using: &random) }
        #expect(samples.median == 10)
    }

    private static func window(_ latency: UInt64, requests: UInt64 = 100) -> GuardWindow {
        GuardWindow(
            requests: requests,
            latencyP50: latency / 2,
            values: GuardValues(latencyP95: latency, queueP95: latency / 10, memoryGrowth: 5)
        )
    }

    @Test("Windows at the start, silent ones and degraded ones say nothing")
    func leftOut() throws {
        var random = SeededGenerator(seed: 5)
        var learner = BaselineLearner()
        for _ in 0..<BaselineLearner.warmupWindows {
            learner.add(Self.window(9_000_000_000), isDegraded: false, using: &random)
        }
        for _ in 0..<100 {
            learner.add(Self.window(8_000_000_000), isDegraded: true, using: &random)
            learner.add(Self.window(7_000_000_000, requests: 3), isDegraded: false, using: &random)
        }
        #expect(learner.baseline == GuardValues())
        #expect(learner.route == nil)
        for _ in 0..<BaselineSamples.enough {
            #expect(learner.baseline == GuardValues())
            learner.add(Self.window(40_000_000), isDegraded: false, using: &random)
        }
        #expect(learner.baseline == GuardValues(latencyP95: 40_000_000, queueP95: 4_000_000, memoryGrowth: 5))
        let route = try #require(learner.route)
        #expect(route == Baseline.Route(latencyP50Seconds: 0.02, latencyP95Seconds: 0.04, queueP95Seconds: 0.004))
    }
}
