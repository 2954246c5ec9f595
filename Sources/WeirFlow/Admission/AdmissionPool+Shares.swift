// SPDX-License-Identifier: Apache-2.0
// The routes of a pool, each with its share of what the pool counts. Any thread.

import Synchronization

extension AdmissionPool {
    /// How many routes of a pool are counted by themselves; those beyond share one count.
    package static let sharesMax = 1024

    /// The share of the routes of this name, the same each time. Allocates where it is new.
    package func share(of name: String) -> PoolShare {
        waiting.withLock { waiting in
            if let number = waiting.shareNumbers[name] { return waiting.shares[number] }
            guard waiting.shares.count < Self.sharesMax else { return waiting.shares[0] }
            let share = PoolShare(
                name: name,
                number: waiting.queue.addShare(),
                loopCount: loopCount,
                now: waiting.queue.history.now
            )
            precondition(share.number == waiting.shares.count, "a share has one place in both lists")
            waiting.shareNumbers[name] = share.number
            waiting.shares.append(share)
            return share
        }
    }

    /// What arrived, and what executes, of all routes together.
    package func traffic(now: Nanoseconds) -> (arrivals: UInt64, execution: ExecutionSnapshot) {
        let shares = waiting.withLock { $0.shares }
        let execution = shares.reduce(.nothing(at: now)) { $0 + $1.traffic.execution(now: now) }
        return (shares.reduce(0) { $0 &+ $1.traffic.arrivals }, execution)
    }
}
