// SPDX-License-Identifier: Apache-2.0
// What changes a pool while it runs, and what it publishes. Any thread; all of it takes the mutex.

import Synchronization

extension AdmissionPool {
    /// Changes how many may run, and answers those that may now; each is to be sent a message. Where more run than may,
    /// they finish.
    package func setLimit(_ limit: Int, now: Nanoseconds) -> AdmissionTicketList {
        changing { waiting in
            var granted = AdmissionTicketList()
            var observed = load()
            var limited: AdmissionWord
            repeat {
                limited = observed.limited(to: Self.clamped(limit, least: 1))
            } while !swap(&observed, for: limited)
            guard limited.queued > 0 else { return granted }
            while limited.executing + granted.count < limited.limit,
                let next = waiting.queue.popNext(mean: execution.mean, now: now)
            {
                granted.append(next)
            }
            store(limited.granting(granted.count).waiting(waiting.queue.count))
            return granted
        }
    }

    /// Changes how many may wait. Where more do, they stay.
    package func setQueueLimit(_ queueLimit: Int) {
        changing { $0.queueLimit = Self.clamped(queueLimit, least: 0) }
    }

    /// Seconds until those that wait now have left, or one that executes where nobody waits; rounded up, from 1 to
    /// `retryAfterSecondsMax`.
    package func retryAfterSeconds(now: Nanoseconds) -> Int {
        waiting.withLock { retryAfterSeconds(now: now, $0) }
    }

    /// How many run, without a look at the rest.
    package var executingCount: Int { load().executing }

    /// How long a request executes on the average; 0 before anything was measured.
    package var meanExecution: Nanoseconds { execution.mean }

    /// How many run and how many wait, at one instant.
    package var occupancy: (executing: Int, queued: Int) {
        let word = load()
        return (word.executing, word.queued)
    }

    /// How many may run, without a look at the rest.
    package var limit: Int { load().limit }

    /// All of it at one instant. While it is put together nobody begins or ceases to wait, and what each loop has counted
    /// is read once, each loop's as it stands.
    ///
    /// - Complexity: O(shares × loops); allocates.
    package func signals(now: Nanoseconds) -> AdmissionSignals {
        waiting.withLock { waiting in
            waiting.queue.advance(to: now)
            let word = load()
            let history = waiting.queue.history
            let shares = zip(waiting.shares, waiting.queue.shares).map { share, queue in
                // Before the arrivals: what executes has arrived.
                let execution = share.traffic.execution(now: now)
                return ShareSignals(
                    name: share.name,
                    arrivals: share.traffic.arrivals,
                    execution: execution,
                    queued: queue.count,
                    queueIntegral: queue.history.integral,
                    queuedPeak: queue.history.queuedPeak,
                    oldestAge: queue.oldestAge(now: history.now)
                )
            }
            return AdmissionSignals(
                executing: word.executing,
                queued: word.queued,
                limit: word.limit,
                queueLimit: waiting.queueLimit,
                queuedByClass: waiting.queue.countsByClass,
                order: waiting.queue.order,
                queueIntegral: history.integral,
                instant: history.now,
                queuedPeak: history.queuedPeak,
                oldestAge: waiting.queue.oldestAge(now: history.now),
                expectedWait: expectedWait(of: .default, now: history.now, waiting),
                meanExecution: execution.mean,
                counts: waiting.queue.counts,
                shares: shares,
                arrivals: shares.reduce(0) { $0 &+ $1.arrivals },
                execution: shares.reduce(.nothing(at: now)) { $0 + $1.execution }
            )
        }
    }
}
