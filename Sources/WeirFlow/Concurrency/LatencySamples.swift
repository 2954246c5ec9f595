// SPDX-License-Identifier: Apache-2.0
// What each loop has seen of its requests' latencies. A loop's thread writes its own cell; the thread that finds the
// limit reads all of them.

internal import Synchronization

/// Sums of latencies, for each loop in cache lines of its own.
///
/// A change is a relaxed load and a relaxed store: a cell has one writer. A reader may see a count without its
/// latency or the other way round; that is one sample in some hundred, and the next reading has both.
@safe
package final class LatencySamples: @unchecked Sendable {
    /// One loop's sums, on two cache lines, as processors fetch lines in pairs.
    private struct Cell: ~Copyable {
        let bound = Sum()
        let free = Sum()
        let failureCount = Atomic<UInt64>(0)
        private let padding = InlineArray<9, UInt64>(repeating: 0)
    }

    private struct Sum: ~Copyable {
        private let count = Atomic<UInt64>(0)
        private let nanoseconds = Atomic<UInt64>(0)
        private let squares = Atomic<UInt64>(0)

        // Relaxed throughout: see the type.
        @inline(__always)
        func add(_ latency: Nanoseconds) {
            count.store(count.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
            nanoseconds.store(nanoseconds.load(ordering: .relaxed) &+ latency, ordering: .relaxed)
            squares.store(squares.load(ordering: .relaxed) &+ LatencySum.square(latency), ordering: .relaxed)
        }

        var value: LatencySum {
            LatencySum(
                count: count.load(ordering: .relaxed),
                nanoseconds: nanoseconds.load(ordering: .relaxed),
                squares: squares.load(ordering: .relaxed)
            )
        }
    }

    // Invariant: `loopCount` initialised cells, from `init` to `deinit`; `cells` never changes.
    private let cells: UnsafeMutablePointer<Cell>
    private let loopCount: Int
    private let limit: Atomic<Int>

    /// - Parameters:
    ///   - loopCount: how many threads record, at least 1.
    ///   - limit: the concurrency limit that requests are compared with until another is published.
    package init(loopCount: Int, limit: Int = .max) {
        precondition(loopCount >= 1, "somebody has to record")
        self.loopCount = loopCount
        self.limit = Atomic(limit)
        unsafe cells = .allocate(capacity: loopCount)
        for index in 0..<loopCount { unsafe (cells + index).initialize(to: Cell()) }
    }

    deinit {
        unsafe cells.deinitialize(count: loopCount)
        unsafe cells.deallocate()
    }

    /// Counts a request that has ended. The loop's thread only; neither allocates nor locks.
    ///
    /// - Parameters:
    ///   - loop: the loop's index.
    ///   - latency: from the start of its execution, without what it waited for that.
    ///   - inFlight: how many were executing when it ended, itself included.
    package func record(loop: Int, latency: Nanoseconds, inFlight: Int) {
        precondition(loop >= 0 && loop < loopCount, "there is no such loop")
        // Relaxed: a limit that has just changed puts a few requests into the other sum.
        let isBound = inFlight >= limit.load(ordering: .relaxed)
        // In bounds: checked above.
        if isBound { unsafe cells[loop].bound.add(latency) } else { unsafe cells[loop].free.add(latency) }
    }

    /// Counts a request that failed from overload: it timed out, or was turned away further on. The loop's thread only.
    package func recordFailure(loop: Int) {
        precondition(loop >= 0 && loop < loopCount, "there is no such loop")
        // In bounds: checked above. Relaxed: see the type.
        let count = unsafe cells[loop].failureCount.load(ordering: .relaxed)
        unsafe cells[loop].failureCount.store(count &+ 1, ordering: .relaxed)
    }

    /// The sums of all loops. Any thread.
    package var totals: LatencyTotals {
        var totals = LatencyTotals()
        for index in 0..<loopCount {
            // In bounds: by the loop. Relaxed: see the type.
            totals.bound = totals.bound + (unsafe cells[index].bound.value)
            totals.free = totals.free + (unsafe cells[index].free.value)
            totals.failureCount &+= unsafe cells[index].failureCount.load(ordering: .relaxed)
        }
        return totals
    }

    /// Sets the limit that requests are compared with.
    func publish(limit: Int) {
        // Relaxed: pairs with the load in `record`, and publishes nothing else.
        self.limit.store(limit, ordering: .relaxed)
    }
}
