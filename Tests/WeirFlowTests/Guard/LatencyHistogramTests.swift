// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirFlow
import WeirTestSupport

@Suite("LatencyHistogram") struct LatencyHistogramTests {
    static let times: [UInt64] = [
        0, 1, 1023, 1024, 8191, 8192, 16_383, 16_384, 1_000_000, 2_097_151, 2_097_152, 999_999_999, 60_000_000_000,
        137_000_000_000,
    ]

    @Test("A single time is read back at most 6.25 % off, or 0.6 µs", arguments: times)
    func single(time: UInt64) throws {
        let histogram = LatencyHistogram()
        histogram.record(time)
        let read = try #require(histogram.snapshot.percentile(0.95))
        let error = Double(max(read, time) - min(read, time))
        #expect(error <= max(600, Double(time) / 16 + 1))
    }

    @Test("What is longer than the last bucket counts in it")
    func longest() throws {
        let histogram = LatencyHistogram()
        histogram.record(.max)
        let read = try #require(histogram.snapshot.percentile(1))
        #expect(read > 120_000_000_000)
    }

    @Test(
        "Percentiles are those of the sorted times, but for a bucket's width",
        arguments: 1...20 as ClosedRange<UInt64>
    )
    func model(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let histogram = LatencyHistogram()
        // Times of all sizes: a random number of bits each.
        let times = (0...random.below(500)).map { _ in random.next() >> UInt64(28 + random.below(36)) }.sorted()
        for time in times { histogram.record(time) }
        let counts = histogram.snapshot
        #expect(counts.total == UInt64(times.count))
        for share in [0.01, 0.5, 0.9, 0.95, 0.99, 1] {
            let exact = times[max(1, Int((share * Double(times.count)).rounded(.up))) - 1]
            let read = try #require(counts.percentile(share))
            let error = Double(max(read, exact) - min(read, exact))
            #expect(error <= max(600, Double(exact) / 16 + 1), "seed \(seed), share \(share)")
        }
    }

    @Test("A window is the difference of two snapshots, and several histograms are one")
    func windows() {
        let one = LatencyHistogram()
        let other = LatencyHistogram()
        one.record(1_000_000_000)
        let before = one.snapshot + other.snapshot
        one.record(1_000_000)
        other.record(3_000_000)
        let window = one.snapshot + other.snapshot - before
        #expect(window.total == 2)
        #expect((950_000...1_050_000).contains(window.percentile(0.5) ?? 0))
        #expect((2_850_000...3_150_000).contains(window.percentile(0.95) ?? 0))
        #expect((before - before).percentile(0.95) == nil)
    }

    @Test("It takes 800 bytes")
    func size() {
        #expect(MemoryLayout<LatencyHistogram>.size == 800)
    }
}
