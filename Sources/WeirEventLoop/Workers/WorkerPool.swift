// SPDX-License-Identifier: Apache-2.0
// Threads for handlers that may block: a bounded queue, as many workers as the work needs between a least and a most,
// parked when idle.

import CWeirSystem
import Glibc
import Synchronization

/// Work for a worker.
package enum WorkerJob {
    package typealias Function = @Sendable (UnsafeMutableRawPointer) -> Void

    /// A function that captures nothing and an argument that it owns.
    case function(Function, UnsafeMutableRawPointer)
    /// A step of a task whose executor is the pool.
    case task(UnownedJob)
}

/// A pool of threads with one queue, first in first out. Any thread may submit.
///
/// It is also a `TaskExecutor`: a task that runs here occupies a worker only between its suspensions.
/// `@unchecked Sendable`: `shared` is touched only under `mutex`.
package final class WorkerPool: @unchecked Sendable {
    private struct Shared {
        var ring: [WorkerJob?] = .init(repeating: nil, count: 64)
        var head = 0
        var count = 0
        var workers = 0
        var idle = 0
        /// Wake-ups that were sent to idle workers and not yet taken.
        var wakeUps = 0
        var workersMax: Int
        var isStopping = false
        /// How long a job holds its worker.
        var mean = MeanTime()
    }

    private let workersMin: Int
    private let queueMax: Int
    private let idleNanoseconds: Nanoseconds
    private let startThread: ThreadStart
    private let now: @Sendable () -> Nanoseconds
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let wake: UnsafeMutablePointer<pthread_cond_t>
    private let allEnded: UnsafeMutablePointer<pthread_cond_t>
    private var shared: Shared

    /// Starts a detached thread; false where the kernel gives none.
    package typealias ThreadStart = @Sendable (_ body: @escaping @Sendable () -> Void) -> Bool

    /// - Parameters:
    ///   - workersMin: threads that are kept even when idle, at least 0.
    ///   - workersMax: threads at most, at least 1.
    ///   - queueMax: jobs that wait at most; `submit` refuses beyond it.
    ///   - idle: how long a worker above the least waits for work before it ends.
    ///   - startThread: how workers are started.
    ///   - now: the clock by which jobs are measured.
    package init(
        workersMin: Int,
        workersMax: Int,
        queueMax: Int,
        idle: Nanoseconds,
        startThread: @escaping ThreadStart = WorkerPool.startSystemThread,
        now: @escaping @Sendable () -> Nanoseconds = { LoopClock.monotonic.now }
    ) {
        self.workersMin = workersMin
        self.startThread = startThread
        self.now = now
        shared = Shared(workersMax: max(workersMax, 1))
        self.queueMax = queueMax
        idleNanoseconds = idle
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        wake = Self.makeCondition()
        allEnded = Self.makeCondition()
    }

    deinit {
        pthread_cond_destroy(wake)
        pthread_cond_destroy(allEnded)
        pthread_mutex_destroy(mutex)
        wake.deallocate()
        allEnded.deallocate()
        mutex.deallocate()
    }

    /// Jobs that wait now.
    package var queuedCount: Int { withLock { $0.count } }

    /// Until the jobs that wait now are done, by the mean of those that were; 0 before there was one.
    package var drainTime: Nanoseconds {
        withLock { $0.mean.drainTime(of: $0.count, running: max(1, $0.workers)) }
    }

    /// Threads that live now.
    package var workerCount: Int { withLock { $0.workers } }

    /// Threads at most.
    package var workersMax: Int { withLock { $0.workersMax } }

    /// Changes how many threads there are at most, at least 1. Where more wait, some begin at once; where fewer may live,
    /// each that is too many ends when it has no job at hand.
    package func setWorkersMax(_ workersMax: Int) {
        let missing = withLock { shared in
            shared.workersMax = max(workersMax, 1)
            let missing = max(0, min(shared.workersMax - shared.workers, shared.count - shared.wakeUps))
            shared.workers += missing
            if shared.workers > shared.workersMax { pthread_cond_broadcast(wake) }
            return missing
        }
        for _ in 0..<missing { startWorker() }
    }

    /// Queues a request's work; false when the queue is full, the pool is stopping, or there is no worker and the kernel
    /// gives none, and then nothing was taken.
    package func submit(_ function: @escaping WorkerJob.Function, _ argument: UnsafeMutableRawPointer) -> Bool {
        add(.function(function, argument), limit: queueMax)
    }

    /// Queues the next step of work that was accepted: never refused, because what was begun must be able to end.
    package func submitBegun(_ function: @escaping WorkerJob.Function, _ argument: UnsafeMutableRawPointer) {
        _ = add(.function(function, argument), limit: .max)
    }

    /// Whether `submit` would take a job now.
    package var hasRoom: Bool { withLock { $0.count < queueMax && !$0.isStopping } }

    /// Ends the pool: what is queued is still done, then the threads end. Returns when they have, or at `deadline`;
    /// says whether all had ended.
    package func stop(deadline: Nanoseconds) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        shared.isStopping = true
        pthread_cond_broadcast(wake)
        while shared.workers > 0 {
            if !Self.wait(allEnded, mutex, until: deadline) { return shared.workers == 0 }
        }
        return true
    }

    private func add(_ job: WorkerJob, limit: Int) -> Bool {
        pthread_mutex_lock(mutex)
        if shared.count >= limit || (shared.isStopping && limit != .max) {
            pthread_mutex_unlock(mutex)
            return false
        }
        // With no worker at all nobody would come for the job. The first one waits for the lock, and finds it.
        let startsFirst = shared.workers == 0
        if startsFirst {
            let isStarted = startThread { [self] in work() }
            if isStarted { shared.workers = 1 }
            if !isStarted, limit != .max {
                pthread_mutex_unlock(mutex)
                return false
            }
        }
        append(job)
        var startsWorker = false
        var wakesWorker = false
        if shared.idle > shared.wakeUps {
            shared.wakeUps += 1
            wakesWorker = true
        } else if !startsFirst, shared.workers < shared.workersMax, shared.count > shared.wakeUps {
            shared.workers += 1
            startsWorker = true
        }
        pthread_mutex_unlock(mutex)
        if wakesWorker { pthread_cond_signal(wake) }
        if startsWorker { startWorker() }
        return true
    }

    /// Where there is no thread to be had, the workers that there are do the work. With none at all, what may not be
    /// refused waits for the next submit to try again.
    private func startWorker() {
        if !startThread({ [self] in work() }) { withLock { $0.workers -= 1 } }
    }

    package static func startSystemThread(_ body: @escaping @Sendable () -> Void) -> Bool {
        do throws(SystemCallError) {
            // Detached: `stop` waits for the count, not for the handles.
            _ = try SystemThread.start(body)
            return true
        } catch {
            return false
        }
    }

    private func work() {
        weir_thread_name("weir-worker")
        pthread_mutex_lock(mutex)
        while true {
            // Others are there for what waits: the most is at least 1.
            if shared.workers > shared.workersMax { break }
            if let job = takeFirst() {
                pthread_mutex_unlock(mutex)
                let start = now()
                run(job)
                let end = now()
                pthread_mutex_lock(mutex)
                shared.mean.note(end &- min(start, end))
                continue
            }
            if shared.isStopping { break }
            shared.idle += 1
            let signalled = Self.wait(wake, mutex, until: LoopClock.monotonic.now &+ idleNanoseconds)
            shared.idle -= 1
            if shared.wakeUps > 0 { shared.wakeUps -= 1 }
            if !signalled, shared.count == 0, shared.workers > workersMin { break }
        }
        shared.workers -= 1
        if shared.workers == 0 { pthread_cond_broadcast(allEnded) }
        pthread_mutex_unlock(mutex)
    }

    private func run(_ job: WorkerJob) {
        switch job {
        case .function(let function, let argument): function(argument)
        case .task(let job): job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }

    private func append(_ job: WorkerJob) {
        if shared.count == shared.ring.count {
            var larger: [WorkerJob?] = .init(repeating: nil, count: shared.ring.count * 2)
            for index in 0..<shared.count {
                larger[index] = shared.ring[(shared.head + index) & (shared.ring.count - 1)]
            }
            shared.ring = larger
            shared.head = 0
        }
        shared.ring[(shared.head + shared.count) & (shared.ring.count - 1)] = job
        shared.count += 1
    }

    private func takeFirst() -> WorkerJob? {
        guard shared.count > 0 else { return nil }
        let job = shared.ring[shared.head]
        shared.ring[shared.head] = nil
        shared.head = (shared.head + 1) & (shared.ring.count - 1)
        shared.count -= 1
        return job
    }

    private func withLock<R>(_ body: (inout Shared) -> R) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&shared)
    }

    private static func makeCondition() -> UnsafeMutablePointer<pthread_cond_t> {
        let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
        return condition
    }

    /// False when the instant passed first.
    private static func wait(
        _ condition: UnsafeMutablePointer<pthread_cond_t>,
        _ mutex: UnsafeMutablePointer<pthread_mutex_t>,
        until instant: Nanoseconds
    ) -> Bool {
        var time = timespec(tv_sec: Int(instant / 1_000_000_000), tv_nsec: Int(instant % 1_000_000_000))
        return pthread_cond_timedwait(condition, mutex, &time) == 0
    }
}

extension WorkerPool: TaskExecutor {
    /// Takes a step of a task. Never refused: what was started must be able to end.
    package func enqueue(_ job: consuming ExecutorJob) {
        _ = add(.task(UnownedJob(job)), limit: .max)
    }
}
