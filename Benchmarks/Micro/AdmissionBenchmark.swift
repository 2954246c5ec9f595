// SPDX-License-Identifier: Apache-2.0
// What admission costs: a request that enters a pool and leaves it, one that is refused, one that waits and gives up.

import Dispatch
import WeirFlow

private let second: Nanoseconds = 1_000_000_000

/// Nanoseconds for an enter and a leave of a pool in which there is room.
func admissionBenchmark(threads: Int, operations: Int) -> Double {
    let pool = AdmissionPool(limit: 1024, queueLimit: 4096, now: 0)
    return nanosecondsPerOperation(threads: threads, operations: operations) { ticket, turn in
        guard case .admitted = pool.enter(ticket, priority: .default, deadline: turn + second, now: turn) else {
            preconditionFailure("there is room")
        }
        _ = pool.leave(executionNanoseconds: 1_000_000, now: turn)
    }
}

/// Nanoseconds for turning a request away from a pool whose queue is full.
func admissionRefusalBenchmark(threads: Int, operations: Int) -> Double {
    let pool = AdmissionPool(limit: 1, queueLimit: 64, now: 0)
    let waiting = (0..<66).map { _ in AdmissionTicket() }
    _ = pool.enter(waiting[0], priority: .default, deadline: .max, now: 0)
    _ = pool.enter(waiting[1], priority: .default, deadline: .max, now: 0)
    // One execution has been measured, so that there is an expected wait to compute.
    _ = pool.leave(executionNanoseconds: 1_000_000, now: 0)
    for ticket in waiting[2...] { _ = pool.enter(ticket, priority: .default, deadline: .max, now: 0) }
    return nanosecondsPerOperation(threads: threads, operations: operations) { ticket, turn in
        guard case .refused = pool.enter(ticket, priority: .default, deadline: turn + second, now: turn) else {
            preconditionFailure("the queue is full")
        }
    }
}

/// Nanoseconds for a request that waits and gives up.
func admissionWaitBenchmark(operations: Int) -> Double {
    let pool = AdmissionPool(limit: 1, queueLimit: 64, now: 0)
    _ = pool.enter(AdmissionTicket(), priority: .default, deadline: .max, now: 0)
    return nanosecondsPerOperation(threads: 1, operations: operations) { ticket, turn in
        _ = pool.enter(ticket, priority: .default, deadline: turn + second, now: turn)
        _ = pool.cancel(ticket, now: turn)
    }
}

/// Runs `operation` on each thread, so many times in all; the turn serves as the time.
private func nanosecondsPerOperation(
    threads: Int,
    operations: Int,
    _ operation: @Sendable (AdmissionTicket, Nanoseconds) -> Void
) -> Double {
    let share = operations / threads
    let clock = ContinuousClock()
    let elapsed = clock.measure {
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            let ticket = AdmissionTicket()
            for turn in 0..<share { operation(ticket, Nanoseconds(turn)) }
        }
    }
    return elapsed / .nanoseconds(1) / Double(share * threads)
}
