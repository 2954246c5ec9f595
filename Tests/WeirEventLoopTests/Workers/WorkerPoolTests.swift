// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing
import WeirEventLoop
import WeirTestSupport

@Suite struct WorkerPoolTests {
    /// Longer than any test lasts.
    private static let never: Nanoseconds = 3_600_000_000_000

    @Test func `how long the jobs that wait take is told from those that were done`() {
        let clock = Atomic<Nanoseconds>(1)
        // Each look at it is half a second later.
        let now: @Sendable () -> Nanoseconds = { clock.wrappingAdd(500_000_000, ordering: .relaxed).newValue }
        let pool = WorkerPool(workersMin: 0, workersMax: 2, queueMax: 100, idle: Self.never, now: now)
        let first = Work()
        #expect(first.submit(to: pool))
        eventually("it has begun") { first.begun.load(ordering: .acquiring) == 1 }
        #expect(pool.drainTime == 0, "nothing was done, and nothing waits")
        first.release()
        eventually("it is done") { first.done.load(ordering: .acquiring) == 1 }
        let others = Work()
        for _ in 0..<12 { #expect(others.submit(to: pool)) }
        eventually("two have begun") { others.begun.load(ordering: .acquiring) == 2 }
        // Ten wait for two workers, of which one look at the clock of each came in between.
        #expect((2_500_000_000...7_500_000_000).contains(pool.drainTime))
        others.release()
        #expect(pool.stop(deadline: LoopClock.monotonic.now + 30_000_000_000))
    }

    @Test func `never more workers than the most run at once`() {
        let pool = WorkerPool(workersMin: 0, workersMax: 3, queueMax: 100, idle: Self.never)
        let work = Work()
        for _ in 0..<20 { #expect(work.submit(to: pool)) }
        eventually("three have begun") { work.begun.load(ordering: .acquiring) == 3 }
        #expect(pool.workerCount == 3)
        #expect(pool.queuedCount == 17)
        work.release()
        eventually("all are done") { work.done.load(ordering: .acquiring) == 20 }
        #expect(work.peak.load(ordering: .relaxed) == 3)
        #expect(pool.workerCount == 3)
        #expect(end(pool))
        #expect(pool.workerCount == 0)
    }

    @Test func `beyond the queue's bound submit refuses, and takes nothing`() {
        let pool = WorkerPool(workersMin: 0, workersMax: 1, queueMax: 2, idle: Self.never)
        let work = Work()
        #expect(pool.hasRoom)
        #expect(work.submit(to: pool))
        eventually("it has begun") { work.begun.load(ordering: .acquiring) == 1 }
        #expect(work.submit(to: pool))
        #expect(work.submit(to: pool))
        #expect(!pool.hasRoom)
        #expect(!work.submit(to: pool))
        #expect(pool.queuedCount == 2)
        work.release()
        eventually("three are done") { work.done.load(ordering: .acquiring) == 3 }
        #expect(pool.hasRoom)
        #expect(work.submit(to: pool))
        #expect(end(pool))
        #expect(work.done.load(ordering: .acquiring) == 4)
    }

    @Test func `what was begun is never refused`() {
        let pool = WorkerPool(workersMin: 0, workersMax: 1, queueMax: 1, idle: Self.never)
        let work = Work()
        #expect(work.submit(to: pool))
        eventually("it has begun") { work.begun.load(ordering: .acquiring) == 1 }
        #expect(work.submit(to: pool))
        for _ in 0..<200 { pool.submitBegun(Work.run, work.pointer) }
        #expect(!work.submit(to: pool))
        #expect(pool.queuedCount == 201)
        work.release()
        #expect(end(pool))
        #expect(work.done.load(ordering: .acquiring) == 202)
    }

    @Test(arguments: [10, 64, 65, 500])
    func `one worker does the jobs in their order`(count: Int) {
        let pool = WorkerPool(workersMin: 0, workersMax: 1, queueMax: 1000, idle: Self.never)
        let gate = Work()
        #expect(gate.submit(to: pool))
        eventually("the gate is closed") { gate.begun.load(ordering: .acquiring) == 1 }
        let log = NumberLog()
        for number in 0..<count { #expect(log.submit(number, to: pool)) }
        gate.release()
        #expect(end(pool))
        #expect(log.numbers == Array(0..<count))
    }

    @Test(arguments: [0, 1, 2])
    func `idle workers end down to the least`(workersMin: Int) {
        let pool = WorkerPool(workersMin: workersMin, workersMax: 6, queueMax: 100, idle: 1_000_000)
        for _ in 0..<3 {
            let work = Work()
            for _ in 0..<6 { #expect(work.submit(to: pool)) }
            eventually("six have begun") { work.begun.load(ordering: .acquiring) == 6 }
            work.release()
            eventually("all are done") { work.done.load(ordering: .acquiring) == 6 }
            eventually("the idle have ended") { pool.workerCount == workersMin }
        }
        #expect(end(pool))
    }

    @Test func `an idle worker is used before another is started`() {
        let pool = WorkerPool(workersMin: 1, workersMax: 4, queueMax: 100, idle: Self.never)
        for _ in 0..<50 {
            let work = Work()
            work.release()
            #expect(work.submit(to: pool))
            eventually("it is done") { work.done.load(ordering: .acquiring) == 1 }
            eventually("its worker is idle, or another was started") { pool.queuedCount == 0 }
        }
        // A worker may be between the end of its job and the wait when the next job comes.
        #expect(pool.workerCount <= 4)
        #expect(end(pool))
    }

    @Test func `with a higher most, workers begin what waits`() {
        let pool = WorkerPool(workersMin: 0, workersMax: 1, queueMax: 100, idle: Self.never)
        let work = Work()
        for _ in 0..<5 { #expect(work.submit(to: pool)) }
        eventually("one has begun") { work.begun.load(ordering: .acquiring) == 1 }
        pool.setWorkersMax(3)
        eventually("three have begun") { work.begun.load(ordering: .acquiring) == 3 }
        #expect(pool.workerCount == 3 && pool.queuedCount == 2 && pool.workersMax == 3)
        work.release()
        #expect(end(pool))
        #expect(work.done.load(ordering: .acquiring) == 5)
    }

    @Test func `with a lower most, workers that are idle end, and those at work when it is done`() {
        let pool = WorkerPool(workersMin: 4, workersMax: 4, queueMax: 100, idle: Self.never)
        let (quick, slow) = (Work(), Work())
        for _ in 0..<2 { #expect(slow.submit(to: pool)) }
        eventually("two have begun") { slow.begun.load(ordering: .acquiring) == 2 }
        for _ in 0..<2 { #expect(quick.submit(to: pool)) }
        eventually("four have begun") { quick.begun.load(ordering: .acquiring) == 2 }
        quick.release()
        eventually("two are done") { quick.done.load(ordering: .acquiring) == 2 }
        pool.setWorkersMax(1)
        eventually("the idle have ended") { pool.workerCount == 2 }
        let next = Work()
        next.release()
        #expect(next.submit(to: pool))
        #expect(next.done.load(ordering: .acquiring) == 0)
        slow.release()
        eventually("one is left") { pool.workerCount == 1 }
        eventually("it does what waits") { next.done.load(ordering: .acquiring) == 1 }
        #expect(end(pool))
        #expect(slow.done.load(ordering: .acquiring) == 2)
    }

    @Test func `where the kernel gives no thread, submit refuses, and what was begun waits for the first one`() {
        let hasThreads = Atomic(false)
        let pool = WorkerPool(workersMin: 0, workersMax: 2, queueMax: 100, idle: Self.never) { body in
            hasThreads.load(ordering: .relaxed) && WorkerPool.startSystemThread(body)
        }
        let work = Work()
        work.release()
        #expect(!work.submit(to: pool))
        pool.submitBegun(Work.run, work.pointer)
        #expect(pool.workerCount == 0 && pool.queuedCount == 1)
        hasThreads.store(true, ordering: .relaxed)
        #expect(work.submit(to: pool))
        eventually("both are done") { work.done.load(ordering: .acquiring) == 2 }
        #expect(end(pool))
    }

    @Test func `stop does what is queued, and takes nothing more`() throws {
        let pool = WorkerPool(workersMin: 1, workersMax: 2, queueMax: 100, idle: Self.never)
        let work = Work()
        for _ in 0..<50 { #expect(work.submit(to: pool)) }
        eventually("two have begun") { work.begun.load(ordering: .acquiring) == 2 }
        let stopped = Work.Outcome()
        _ = try SystemThread.start { stopped.set(pool.stop(deadline: .max / 2)) }
        eventually("the pool is stopping") { !pool.hasRoom }
        #expect(!work.submit(to: pool))
        #expect(stopped.get() == nil)
        work.release()
        eventually("the pool has stopped") { stopped.get() != nil }
        #expect(stopped.get() == true)
        #expect(work.done.load(ordering: .acquiring) == 50)
        #expect(pool.workerCount == 0)
    }

    @Test func `stop says that a worker did not end in time`() {
        let pool = WorkerPool(workersMin: 1, workersMax: 1, queueMax: 10, idle: Self.never)
        let work = Work()
        #expect(work.submit(to: pool))
        eventually("it has begun") { work.begun.load(ordering: .acquiring) == 1 }
        #expect(!pool.stop(deadline: LoopClock.monotonic.now))
        work.release()
        #expect(end(pool))
    }

    @Test func `a pool that was never used stops at once`() {
        #expect(end(WorkerPool(workersMin: 4, workersMax: 8, queueMax: 1, idle: Self.never)))
    }

    @Test(arguments: [Nanoseconds(0), 20_000, 3_600_000_000_000], [1, 4])
    func `whatever many threads submit is done exactly once`(idle: Nanoseconds, workersMax: Int) throws {
        let pool = WorkerPool(workersMin: 0, workersMax: workersMax, queueMax: 100, idle: idle)
        let work = Work()
        work.release()
        let counters = SubmitterCounters()
        for _ in 0..<4 {
            _ = try SystemThread.start {
                for number in 0..<3000 {
                    if number % 10 == 0 {
                        pool.submitBegun(Work.run, work.pointer)
                        counters.accepted.wrappingAdd(1, ordering: .relaxed)
                    } else if work.submit(to: pool) {
                        counters.accepted.wrappingAdd(1, ordering: .relaxed)
                    }
                }
                counters.ended.wrappingAdd(1, ordering: .releasing)
            }
        }
        eventually("the submitters are done") { counters.ended.load(ordering: .acquiring) == 4 }
        let count = counters.accepted.load(ordering: .relaxed)
        eventually("all that was accepted is done") { work.done.load(ordering: .acquiring) == count }
        #expect(work.peak.load(ordering: .relaxed) <= workersMax)
        #expect(end(pool))
        #expect(work.done.load(ordering: .acquiring) == count)
    }

    @Test func `one job at a time with workers that end at once is never left lying`() {
        let pool = WorkerPool(workersMin: 0, workersMax: 2, queueMax: 10, idle: 0)
        let work = Work()
        work.release()
        for number in 1...5000 {
            #expect(work.submit(to: pool))
            while work.done.load(ordering: .acquiring) < number - 2 {}
        }
        eventually("all are done") { work.done.load(ordering: .acquiring) == 5000 }
        #expect(end(pool))
    }

    private func end(_ pool: WorkerPool) -> Bool {
        pool.stop(deadline: LoopClock.monotonic.now + 30_000_000_000)
    }
}

private final class SubmitterCounters: Sendable {
    let accepted = Atomic<Int>(0)
    let ended = Atomic<Int>(0)
}

/// Jobs that hold their workers until they are released, and count themselves.
final class Work: Sendable {
    let begun = Atomic<Int>(0)
    let done = Atomic<Int>(0)
    let peak = Atomic<Int>(0)
    private let running = Atomic<Int>(0)
    private let isReleased = Atomic<Bool>(false)

    var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    func submit(to pool: WorkerPool) -> Bool { pool.submit(Self.run, pointer) }

    func release() { isReleased.store(true, ordering: .releasing) }

    static let run: WorkerJob.Function = { pointer in
        let work = Unmanaged<Work>.fromOpaque(pointer).takeUnretainedValue()
        work.peak.max(work.running.wrappingAdd(1, ordering: .relaxed).newValue, ordering: .relaxed)
        work.begun.wrappingAdd(1, ordering: .releasing)
        if !work.isReleased.load(ordering: .acquiring) {
            eventually("the work is released") { work.isReleased.load(ordering: .acquiring) }
        }
        work.running.wrappingSubtract(1, ordering: .relaxed)
        work.done.wrappingAdd(1, ordering: .releasing)
    }

    /// An answer from another thread.
    final class Outcome: Sendable {
        private let value = Mutex<Bool?>(nil)

        func set(_ outcome: Bool) { value.withLock { $0 = outcome } }
        func get() -> Bool? { value.withLock { $0 } }
    }
}

/// Numbers in the order in which workers saw them. `@unchecked Sendable`: one worker writes, joined before it is read.
private final class NumberLog: @unchecked Sendable {
    private(set) var numbers: [Int] = []

    private final class Entry {
        let log: NumberLog
        let number: Int

        init(_ log: NumberLog, _ number: Int) {
            self.log = log
            self.number = number
        }
    }

    func submit(_ number: Int, to pool: WorkerPool) -> Bool {
        pool.submit(
            { pointer in
                let entry = Unmanaged<Entry>.fromOpaque(pointer).takeRetainedValue()
                entry.log.numbers.append(entry.number)
            },
            Unmanaged.passRetained(Entry(self, number)).toOpaque()
        )
    }
}
