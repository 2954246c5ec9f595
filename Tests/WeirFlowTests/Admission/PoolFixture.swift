// SPDX-License-Identifier: Apache-2.0
// A pool as its tests see it: requests with numbers, at instants in milliseconds.

import WeirFlow

let millisecond: Nanoseconds = 1_000_000
let second: Nanoseconds = 1_000_000_000

/// What the test told a request, or the pool did.
enum Told: Equatable {
    case admitted
    case queued
    case queuedDisplacing(Int)
    case refused(AdmissionRefusal)
}

/// A pool and its requests, each with a ticket. One thread.
final class PoolFixture {
    let pool: AdmissionPool
    private(set) var tickets: [AdmissionTicket] = []

    init(limit: Int = 1, queueLimit: Int = 100, requests: Int = 16) {
        pool = AdmissionPool(limit: limit, queueLimit: queueLimit, now: 0)
        for number in 0..<requests {
            tickets.append(AdmissionTicket(owner: UnsafeMutableRawPointer(bitPattern: number + 1)))
        }
    }

    func number(_ ticket: AdmissionTicket) -> Int { Int(bitPattern: ticket.owner) - 1 }

    func enter(
        _ number: Int,
        _ priority: Priority = .default,
        deadline: Nanoseconds = .max,
        at now: Nanoseconds = 0
    ) -> Told {
        switch pool.enter(tickets[number], priority: priority, deadline: deadline, now: now) {
        case .admitted: return .admitted
        case .queued(nil): return .queued
        case .queued(let displaced?): return .queuedDisplacing(self.number(displaced))
        case .refused(let refusal, _): return .refused(refusal)
        }
    }

    /// Who gets the slot.
    func leave(after execution: Nanoseconds = millisecond, at now: Nanoseconds = 0) -> Int? {
        pool.leave(executionNanoseconds: execution, now: now).map { number($0) }
    }

    /// The message to a request has come.
    func reclaim(_ number: Int) -> AdmissionTicket.State { tickets[number].reclaim() }

    /// Makes the mean execution time known: a request that took that long.
    func measure(_ execution: Nanoseconds) {
        _ = enter(tickets.count - 1)
        _ = leave(after: execution)
    }
}
