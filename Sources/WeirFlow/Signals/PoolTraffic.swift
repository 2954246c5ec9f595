// SPDX-License-Identifier: Apache-2.0
// What of a route is offered to a pool and what of it executes, counted by each loop in a cell of its own. A loop's
// thread makes and writes its cell; any thread reads.

internal import Synchronization

/// The arrivals and the executions of one share of a pool.
@safe
package struct PoolTraffic: ~Copyable, @unchecked Sendable {
    /// One loop's counts, 128 bytes apart from others, as processors fetch lines in pairs.
    private struct Cell: ~Copyable {
        /// Relaxed: one writer, and the count alone is what is read.
        let arrivals = Atomic<UInt64>(0)
        let execution: ExecutionIntegral
        private let padding = InlineArray<8, UInt64>(repeating: 0)

        init(now: Nanoseconds) { execution = ExecutionIntegral(now: now) }
    }

    private typealias CellPointer = UnsafeMutablePointer<Cell>

    // Invariant: `loopCount` places, from `init` to `deinit`; each is nil until its loop has made its cell, and never
    // changes again.
    private let cells: UnsafeMutablePointer<Atomic<CellPointer?>>
    private let loopCount: Int
    private let made: Nanoseconds

    init(loopCount: Int, now: Nanoseconds) {
        precondition(loopCount >= 1, "somebody has to count")
        self.loopCount = loopCount
        made = now
        unsafe cells = .allocate(capacity: loopCount)
        for index in 0..<loopCount { unsafe (cells + index).initialize(to: Atomic(nil)) }
    }

    deinit {
        for index in 0..<loopCount {
            // Relaxed: whoever is last to let go has seen what all others did.
            guard let cell = unsafe cells[index].load(ordering: .relaxed) else { continue }
            unsafe cell.deinitialize(count: 1)
            unsafe UnsafeMutableRawPointer(cell).deallocate()
        }
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
        // The first is a call at the end, so that the others need not keep their registers for it.
        guard let cell = unsafe madeCell(loop) else { return arriveAndBeginFirst(loop: loop, now: now) }
        unsafe countArrival(cell)
        unsafe cell.pointee.execution.begin(now: now)
    }

    @inline(never)
    private func arriveAndBeginFirst(loop: Int, now: Nanoseconds) {
        _ = unsafe makeCell(loop)
        arriveAndBegin(loop: loop, now: now)
    }

    /// As `ExecutionIntegral.begin`.
    package func begin(loop: Int, now: Nanoseconds) {
        unsafe cell(loop).pointee.execution.begin(now: now)
    }

    /// As `ExecutionIntegral.end`.
    package func end(loop: Int, begun: Nanoseconds, now: Nanoseconds) {
        guard let cell = unsafe madeCell(loop) else { preconditionFailure("what ends has begun") }
        unsafe cell.pointee.execution.end(begun: begun, now: now)
    }

    @inline(__always)
    private func countArrival(_ cell: CellPointer) {
        let count = unsafe cell.pointee.arrivals.load(ordering: .relaxed)
        unsafe cell.pointee.arrivals.store(count &+ 1, ordering: .relaxed)
    }

    private func cell(_ loop: Int) -> CellPointer {
        if let cell = unsafe madeCell(loop) { return unsafe cell }
        return unsafe makeCell(loop)
    }

    /// Nil before the first request.
    @inline(__always)
    private func madeCell(_ loop: Int) -> CellPointer? {
        // One comparison: a negative number is a large one.
        precondition(UInt(bitPattern: loop) < UInt(bitPattern: loopCount), "there is no such loop")
        // Relaxed: this thread has stored it.
        return unsafe cells[loop].load(ordering: .relaxed)
    }

    /// At the first request of a route on a loop: routes times loops are many, and few of them ever meet.
    private func makeCell(_ loop: Int) -> CellPointer {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: MemoryLayout<Cell>.stride, alignment: 128)
        let cell = unsafe memory.bindMemory(to: Cell.self, capacity: 1)
        unsafe cell.initialize(to: Cell(now: made))
        // Pairs with the acquires of readers: the cell is initialised. In bounds: by the caller.
        unsafe cells[loop].store(cell, ordering: .releasing)
        return unsafe cell
    }

    // MARK: Of all loops, on any thread

    /// Requests that asked to run, whatever became of them.
    package var arrivals: UInt64 {
        var sum: UInt64 = 0
        for index in 0..<loopCount {
            // In bounds: by the loop. Pairs with the release in `makeCell`.
            guard let cell = unsafe cells[index].load(ordering: .acquiring) else { continue }
            sum &+= unsafe cell.pointee.arrivals.load(ordering: .relaxed)
        }
        return sum
    }

    /// What executes, and has.
    package func execution(now: Nanoseconds) -> ExecutionSnapshot {
        var sum = ExecutionSnapshot.nothing(at: now)
        for index in 0..<loopCount {
            // As above.
            guard let cell = unsafe cells[index].load(ordering: .acquiring) else { continue }
            sum = sum + (unsafe cell.pointee.execution.snapshot(now: now))
        }
        return sum
    }
}
