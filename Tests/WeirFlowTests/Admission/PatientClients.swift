// SPDX-License-Identifier: Apache-2.0
// Clients that wait for their answer and then ask again, in simulated time.

import WeirFlow

/// Each has one request at a time, sends the next when it has its answer, and is turned away or late only by the pool.
final class PatientClients {
    private let fixture: PoolFixture
    private let execution = 50 * millisecond
    private let budget = 5 * second
    private var executing: [(end: Nanoseconds, client: Int)] = []
    private var now: Nanoseconds = 0
    /// By client.
    private(set) var served: [Int]
    private(set) var refused = 0
    private(set) var longestWait: Nanoseconds = 0
    /// Grants to one before whom another waited.
    private(set) var overtakings = 0

    init(count: Int, limit: Int) {
        fixture = PoolFixture(limit: limit, queueLimit: 100, requests: count)
        served = Array(repeating: 0, count: count)
        for client in 0..<count { ask(client) }
    }

    var order: QueueOrder { fixture.pool.signals(now: now).order }

    func run(until end: Nanoseconds) {
        while let next = executing.indices.min(by: { executing[$0].end < executing[$1].end }),
            executing[next].end < end
        {
            let done = executing.remove(at: next)
            now = done.end
            served[done.client] += 1
            grant(fixture.leave(after: execution, at: now))
            ask(done.client)
            for (client, ticket) in fixture.tickets.enumerated() where ticket.state == .expired {
                _ = fixture.pool.cancel(ticket, now: now)
                refused += 1
                ask(client)
            }
        }
        now = end
    }

    /// So many of those that wait, the oldest first, give up and ask again.
    func giveUp(_ count: Int) {
        let waiting = fixture.tickets.indices.filter { fixture.tickets[$0].state == .waiting }
        for client in waiting.sorted(by: { age(of: $0) > age(of: $1) }).prefix(count) {
            _ = fixture.pool.cancel(fixture.tickets[client], now: now)
            ask(client)
        }
    }

    private func age(of client: Int) -> Nanoseconds { now - fixture.tickets[client].enqueuedAt }

    private func ask(_ client: Int) {
        switch fixture.enter(client, deadline: now + budget, at: now) {
        case .admitted: executing.append((now + execution, client))
        case .queued: break
        case .queuedDisplacing, .refused: refused += 1
        }
    }

    private func grant(_ client: Int?) {
        guard let client else { return }
        longestWait = max(longestWait, age(of: client))
        let isOldest = fixture.tickets.indices.allSatisfy {
            fixture.tickets[$0].state != .waiting || age(of: $0) <= age(of: client)
        }
        if !isOldest { overtakings += 1 }
        _ = fixture.reclaim(client)
        executing.append((now + execution, client))
    }
}
