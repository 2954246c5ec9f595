// SPDX-License-Identifier: Apache-2.0
// What is offered to a pool and what of it executes, counted by each loop in cells of its own, and how full that makes
// the pool. A loop's thread writes its cell; any thread reads.

internal import Synchronization

/// The arrivals and the executions of one pool.
@safe
package struct PoolTraffic: ~Copyable, @unchecked Sendable {
    /// One loop's counts, 128 bytes apart, as processors fetch lines in pairs.
    private struct Cell: ~Copyable {
        /// Relaxed: one writer, and the count alone is what is read.
        let arrivals = Atomic<UInt64>(0)
        let execution: ExecutionIntegral
        private let padding = InlineArray<8, UInt64>(repeating: 0)

        init(now: Nanoseconds) { execution = ExecutionIntegral(now: now) }
    }

    // Invariant: `loopCount` initialised cells, from `init` to `deinit`; `cells` never changes.
    private let cells: UnsafeMutablePointer<Cell>
    private let loopCount: Int
    /// The bit pattern of a double. Relaxed: it publishes nothing.
    private let utilizationBits = Atomic<UInt64>(0)

    init(loopCount: Int, now: Nanoseconds) {
        precondition(loopCount >= 1, "somebody has to count")
        self.loopCount = loopCount
        unsafe cells = .allocate(capacity: loopCount)
        for index in 0..<loopCount { unsafe (cells + index).initialize(to: Cell(now: now)) }
    }

    deinit {
        unsafe cells.deinitialize(count: loopCount)
        unsafe cells.deallocate()
    }

    // MARK: On the loop's thread

    /// A request asks to run.
    package func arrive(loop: Int) {
        unsafe countArrival(cell(loop))
    }

    /// A request asks to run, and does: in one call, because most do.
    package func arriveAndBegin(loop: Int, now: Nanoseconds) {
        let cell = unsafe cell(loop)
        unsafe countArrival(cell)
        unsafe cell.pointee.execution.begin(now: now)
    }

    /// As `ExecutionIntegral.begin`.
    package func begin(loop: Int, now: Nanoseconds) {
        unsafe cell(loop).pointee.execution.begin(now: now)
    }

    /// As `ExecutionIntegral.end`.
    package func end(loop: Int, begun: Nanoseconds, now: Nanoseconds) {
        unsafe cell(loop).pointee.execution.end(begun: begun, now: now)
    }

    @inline(__always)
    private func countArrival(_ cell: UnsafeMutablePointer<Cell>) {
        let count = unsafe cell.pointee.arrivals.load(ordering: .relaxed)
        unsafe cell.pointee.arrivals.store(count &+ 1, ordering: .relaxed)
    }

    @inline(__always)
    private func cell(_ loop: Int) -> UnsafeMutablePointer<Cell> {
        // One comparison: a negative number is a large one.
        precondition(UInt(bitPattern: loop) < UInt(bitPattern: loopCount), "there is no such loop")
        return unsafe cells + loop
    }

    // MARK: Of all loops, on any thread

    /// Requests that asked to run, whatever became of them.
    package var arrivals: UInt64 {
        var sum: UInt64 = 0
        // In bounds: by the loop.
        for index in 0..<loopCount { sum &+= unsafe cells[index].arrivals.load(ordering: .relaxed) }
        return sum
    }

    /// What executes, and has.
    package func execution(now: Nanoseconds) -> ExecutionSnapshot {
        // In bounds: there is at least one, and by the loop.
        var sum = unsafe cells[0].execution.snapshot(now: now)
        for index in 1..<loopCount { sum = sum + (unsafe cells[index].execution.snapshot(now: now)) }
        return sum
    }

    /// The offered load over the limit, as it was last found out.
    package var utilization: Double {
        get { Double(bitPattern: utilizationBits.load(ordering: .relaxed)) }
        nonmutating set { utilizationBits.store(newValue.bitPattern, ordering: .relaxed) }
    }
}
