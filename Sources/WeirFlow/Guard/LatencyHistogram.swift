// SPDX-License-Identifier: Apache-2.0
// Times counted in buckets of fixed memory, from which percentiles come. One thread records; whoever judges reads.

internal import Synchronization

/// A log-linear histogram: eight buckets of equal width for each doubling, from 8 µs to 137 s; below that a bucket for
/// each of 1.024 µs.
///
/// A percentile is at most 6.25 % off (half a bucket), or 0.6 µs for those below 8 µs. The exposed histograms' bounds lie
/// up to 2.5 times apart, which is no use for seeing that something takes 2.5 times as long. It takes 800 bytes.
package struct LatencyHistogram: ~Copyable {
    // Relaxed: a count publishes nothing else. A load and a store: it has one writer.
    private let counts = InlineArray<200, Atomic<UInt32>> { _ in Atomic(0) }

    package init() {}

    /// Counts one time; what is longer than the last bucket counts there. The writer's thread only.
    package func record(_ time: Nanoseconds) {
        let index = LatencyBuckets.index(time)
        counts[index].store(counts[index].load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    }

    /// What has been counted since the start. Any thread.
    package var snapshot: LatencyCounts {
        LatencyCounts((0..<LatencyBuckets.count).map { counts[$0].load(ordering: .relaxed) })
    }
}

/// Which times a bucket takes.
enum LatencyBuckets {
    static let count = 200
    private static let unitShift: UInt64 = 10
    private static let perDoublingShift: UInt64 = 3
    private static let perDoubling: UInt64 = 1 << perDoublingShift
    private static let unitsMax: UInt64 = 1 << 27 - 1

    static func index(_ time: Nanoseconds) -> Int {
        let units = min(time >> unitShift, unitsMax)
        guard units >= perDoubling else { return Int(units) }
        let exponent = UInt64(63 &- units.leadingZeroBitCount)
        let doublings = exponent &- perDoublingShift
        return Int(doublings &* perDoubling &+ units >> doublings)
    }

    /// The middle of a bucket.
    static func middle(_ index: Int) -> Nanoseconds {
        let index = UInt64(index)
        guard index >= 2 * perDoubling else { return (index << unitShift) + (1 << unitShift) / 2 }
        let doublings = index / perDoubling - 1
        let lower = (perDoubling + index % perDoubling) << doublings
        return (lower << unitShift) + (1 << (doublings + unitShift)) / 2
    }
}

/// The counts of a histogram at an instant, or what came between two.
package struct LatencyCounts: Equatable, Sendable {
    private var counts: [UInt32]

    init(_ counts: [UInt32]) { self.counts = counts }

    package var total: UInt64 { counts.reduce(0) { $0 + UInt64($1) } }

    /// The time that so large a share of all times does not exceed; nil if there are none.
    ///
    /// - Parameter share: above 0, up to 1.
    package func percentile(_ share: Double) -> Nanoseconds? {
        let total = total
        guard total > 0 else { return nil }
        var left = max(1, UInt64((share * Double(total)).rounded(.up)))
        for (index, count) in counts.enumerated() {
            if left <= UInt64(count) { return LatencyBuckets.middle(index) }
            left -= UInt64(count)
        }
        return LatencyBuckets.middle(LatencyBuckets.count - 1)
    }

    /// What was counted between two snapshots, the earlier one on the right; right for up to 2³² in a bucket.
    package static func - (later: LatencyCounts, earlier: LatencyCounts) -> LatencyCounts {
        LatencyCounts(zip(later.counts, earlier.counts).map { $0 &- $1 })
    }

    /// Those of several histograms together.
    package static func + (one: LatencyCounts, other: LatencyCounts) -> LatencyCounts {
        LatencyCounts(zip(one.counts, other.counts).map { $0 &+ $1 })
    }
}
