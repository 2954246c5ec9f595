// SPDX-License-Identifier: Apache-2.0
// A loop as the executor of Swift tasks: handlers start here and come back here after each suspension.

import CWeirSystem
import WeirMetrics

extension EventLoop: TaskExecutor {
    /// Takes a job from the concurrency runtime; from the loop's own thread without a lock.
    @usableFromInline package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrent {
            core.pointee.jobs.push(job)
        } else {
            inbox.push(.job(job))
        }
    }

    /// Runs the jobs that are there now; those that they enqueue run in the next round, so that two tasks which wake
    /// each other do not hold the loop.
    func runJobs() {
        if core.pointee.hasWork {
            core.pointee.hasWork = false
            core.pointee.hooks.beforeJobs?()
        }
        runRound()
    }

    /// Runs the jobs that an event brings behind it, before the next event is looked at: what was received is still in the
    /// cache, and one request's memory serves the next.
    ///
    /// Where there were jobs before the event, it waits for the turn's own rounds with them, and so does what these jobs
    /// bring, and all that follows: tasks that are always ready run no more often for there being many events.
    @inline(__always)
    func runJobs(of event: () -> Void) {
        let hadJobs = core.pointee.jobs.count > 0
        event()
        if !hadJobs, core.pointee.jobs.count > 0 { runRound() }
    }

    private func runRound() {
        var count = core.pointee.jobs.count
        guard count > 0 else { return }
        metrics.add(.jobsRun, UInt64(count))
        let executor = asUnownedTaskExecutor()
        var startedAt = clock.now
        while count > 0, let job = core.pointee.jobs.pop() {
            job.runSynchronously(on: executor)
            count -= 1
            let endedAt = clock.now
            if endedAt &- startedAt > core.pointee.hooks.stallNanoseconds {
                core.pointee.hooks.stalled?(unsafeBitCast(job, to: UInt.self), endedAt &- startedAt)
            }
            startedAt = endedAt
        }
        core.pointee.jobsEnded = startedAt
    }
}
