// SPDX-License-Identifier: Apache-2.0
// The numbers of one loop. Written by that loop's thread only, read by the admin thread at any time.

public import Synchronization

// `@usableFromInline` on the type and on its parameters' types: without it no `@inlinable package` method is inlined
// elsewhere, and each count is a call around its one instruction.

/// The counters, gauges and histograms of one loop.
///
/// One thread writes a shard: a change is a relaxed load and a relaxed store, without a locked instruction. Any thread
/// may read it meanwhile: each value alone is exact and never goes back; values of different counters may be from
/// slightly different moments. A second writer would lose counts.
@usableFromInline
package final class MetricsShard: Sendable {
    // 64 bytes before and after the values: another object on the same cache line would slow every count down.
    private let paddingBefore = InlineArray<8, UInt64>(repeating: 0)
    @usableFromInline let counters = InlineArray<64, Atomic<UInt64>> { _ in Atomic(0) }
    @usableFromInline let gauges = InlineArray<16, Atomic<Int>> { _ in Atomic(0) }
    private let paddingAfter = InlineArray<8, UInt64>(repeating: 0)

    /// `http_server_request_duration_seconds`.
    package let durations: DurationHistograms

    /// `weir_handler_stalls_total`.
    package let stalls: RouteCounters

    /// `weir_tagged_requests_total`.
    package let tags: TagCounters

    /// `weir_queue_wait_seconds`; those that did not wait are not in it.
    package let waits: DurationHistograms

    /// `weir_rejected_total`.
    package let rejections: RejectionCounters

    /// `weir_streams_active`.
    package let streams: RouteGauges

    /// Creates a shard with all values 0.
    ///
    /// - Parameter cellsMax: the most histograms, one for each method, route and status that occurs, 2 to 65535; what
    ///   does not fit is counted in one that stands for the rest.
    package init(cellsMax: Int = 4096) {
        durations = DurationHistograms(cellsMax: cellsMax)
        stalls = RouteCounters(cellsMax: cellsMax)
        tags = TagCounters(cellsMax: cellsMax)
        waits = DurationHistograms(cellsMax: min(cellsMax, Self.seldomCellsMax))
        rejections = RejectionCounters(cellsMax: max(16, min(cellsMax, Self.seldomCellsMax)))
        streams = RouteGauges(cellsMax: min(cellsMax, Self.seldomCellsMax))
    }

    /// Routes for which something seldom is counted.
    private static let seldomCellsMax = 1024

    /// Adds to a counter. Writer's thread only.
    @inlinable
    package func add(_ counter: CounterID, _ amount: UInt64) {
        let index = Int(counter.rawValue)
        // Relaxed: nothing else is published with a count.
        counters[index].store(counters[index].load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    /// Adds one to a counter. Writer's thread only.
    @inlinable
    package func increment(_ counter: CounterID) {
        add(counter, 1)
    }

    /// Adds to a gauge, or takes from it if the amount is negative. Writer's thread only.
    @inlinable
    package func add(_ gauge: GaugeID, _ amount: Int) {
        let index = Int(gauge.rawValue)
        gauges[index].store(gauges[index].load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    /// Adds one to a gauge. Writer's thread only.
    @inlinable
    package func increment(_ gauge: GaugeID) {
        add(gauge, 1)
    }

    /// Takes one from a gauge. Writer's thread only.
    @inlinable
    package func decrement(_ gauge: GaugeID) {
        add(gauge, -1)
    }

    /// Sets a gauge. Writer's thread only.
    @inlinable
    package func set(_ gauge: GaugeID, _ value: Int) {
        gauges[Int(gauge.rawValue)].store(value, ordering: .relaxed)
    }

    /// Counts one request in ``durations``; see ``DurationHistograms/record(route:method:status:nanoseconds:)``. Here,
    /// so that callers from other modules need not retain the histograms. Writer's thread only.
    package func recordDuration(route: Int32, method: UInt8, status: UInt16, nanoseconds: UInt64) {
        durations.record(route: route, method: method, status: status, nanoseconds: nanoseconds)
    }

    /// Counts one request of a route with tags, as `recordDuration` does; `tag` is as in ``TagCounters``. Writer's thread
    /// only.
    package func recordTag(route: Int32, tag: UInt16) {
        tags.increment(route: route, tag: tag)
    }

    /// Counts one request that waited, as `recordDuration` does. Writer's thread only.
    package func recordWait(route: Int32, nanoseconds: UInt64) {
        waits.record(route: route, method: 0, status: 0, nanoseconds: nanoseconds)
    }

    /// Counts one request that was turned away, as `recordDuration` does. Writer's thread only.
    package func recordRejection(_ reason: RejectionReason, route: Int32) {
        rejections.increment(route: route, reason)
    }

    /// Counts one stream that begins, or ends, as `recordDuration` does. Writer's thread only.
    package func countStream(route: Int32, begins: Bool) {
        streams.add(route: route, isMore: begins)
    }

    /// What a counter stands at. Any thread.
    package func value(_ counter: CounterID) -> UInt64 {
        counters[Int(counter.rawValue)].load(ordering: .relaxed)
    }

    /// What a gauge stands at. Any thread.
    package func value(_ gauge: GaugeID) -> Int {
        gauges[Int(gauge.rawValue)].load(ordering: .relaxed)
    }
}
