// SPDX-License-Identifier: Apache-2.0
// Admission: a request that enters a pool and leaves it, one that is refused, one that waits and gives up.

import WeirFlow

enum AdmissionBenchmark {
    static var all: [Benchmark] { [enterAndLeave, refuse, waitAndCancel] }

    private static let second: Nanoseconds = 1_000_000_000

    /// There is room: a compare-and-swap to enter and one to leave.
    private static var enterAndLeave: Benchmark {
        Benchmark(name: "admission", threads: [1, 2], operations: 5_000_000) {
            let pool = AdmissionPool(limit: 1024, queueLimit: 4096, now: 0)
            return { _, count in
                let ticket = AdmissionTicket()
                for turn in 0..<count {
                    let now = Nanoseconds(turn)
                    guard case .admitted = pool.enter(ticket, priority: .default, deadline: now + second, now: now)
                    else { preconditionFailure("there is room") }
                    _ = pool.leave(executionNanoseconds: 1_000_000, now: now)
                }
            }
        }
    }

    /// The queue is full.
    private static var refuse: Benchmark {
        Benchmark(name: "admission-refused", threads: [1, 2], operations: 2_000_000) {
            let pool = AdmissionPool(limit: 1, queueLimit: 64, now: 0)
            let waiting = (0..<66).map { _ in AdmissionTicket() }
            for ticket in waiting[..<2] { _ = pool.enter(ticket, priority: .default, deadline: .max, now: 0) }
            // One execution has been measured, so that there is an expected wait to compute.
            _ = pool.leave(executionNanoseconds: 1_000_000, now: 0)
            for ticket in waiting[2...] { _ = pool.enter(ticket, priority: .default, deadline: .max, now: 0) }
            return { _, count in
                let ticket = AdmissionTicket()
                for turn in 0..<count {
                    let now = Nanoseconds(turn)
                    guard case .refused = pool.enter(ticket, priority: .default, deadline: now + second, now: now)
                    else { preconditionFailure("the queue is full") }
                }
                // The pool's links do not hold what waits in it.
                precondition(waiting.count == 66)
            }
        }
    }

    private static var waitAndCancel: Benchmark {
        Benchmark(name: "admission-wait", threads: [1], operations: 1_000_000) {
            let pool = AdmissionPool(limit: 1, queueLimit: 64, now: 0)
            _ = pool.enter(AdmissionTicket(), priority: .default, deadline: .max, now: 0)
            return { _, count in
                let ticket = AdmissionTicket()
                for turn in 0..<count {
                    let now = Nanoseconds(turn)
                    _ = pool.enter(ticket, priority: .default, deadline: now + second, now: now)
                    _ = pool.cancel(ticket, now: now)
                }
            }
        }
    }
}
