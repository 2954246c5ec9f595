// SPDX-License-Identifier: Apache-2.0
// A loop's side of the admission pools: who enters, who leaves, whom to tell. On the loop's thread.

import Synchronization
import WeirEventLoop
import WeirFlow
import WeirMetrics

/// Where a request stands between its arrival and the end of its execution.
enum AdmissionSlot: UInt8 {
    /// Not in a pool: it has not asked, was refused, is over, or its route has no pool.
    case none
    /// Not in a pool yet: the store is asked for its limits, and it is owed an answer.
    case checking
    /// In a pool's queue.
    case waiting
    /// It runs, and holds one of the pool's places.
    case held

    /// Whether somebody will say that it goes on; until then its body stays where it is.
    var waits: Bool { self == .waiting || self == .checking }
}

/// Why a request may not run.
struct AdmissionRefused {
    let reason: AccessReason
    let retryAfterSeconds: Int
}

extension ServerLoop {
    /// What became of a request that asked to run.
    enum Entry {
        case admitted
        case queued
        case refused(AdmissionRefused)
    }

    /// Asks for a place in the route's pool, for its share of that.
    func enter(
        _ exchange: Exchange,
        _ pool: AdmissionPool,
        _ share: Unmanaged<PoolShare>,
        _ priority: WeirFlow.Priority
    ) -> Entry {
        if let level = flowReference?._withUnsafeGuaranteedRef({ $0.isShortOfMemory ? $0.memoryPressure : nil }),
            sheds(priority, level)
        {
            arrive(share)
            return .refused(AdmissionRefused(reason: .memory, retryAfterSeconds: Self.memoryRetrySeconds))
        }
        // The requests before it in this turn may have been served since the turn began, and held their places for that.
        let now = loop.latest
        let deadline = exchange.deadline
        exchange.waitsSince = now
        exchange.shareReference = share
        switch share._withUnsafeGuaranteedRef({ share in
            exchange.withTicket {
                pool.enter($0, priority: priority, deadline: deadline, share: share, now: now)
            }
        }) {
        case .admitted:
            hold(exchange, pool, now: now)
            share._withUnsafeGuaranteedRef { $0.traffic.arriveAndBegin(loop: loop.index, now: now) }
            return .admitted
        case .queued(let displaced):
            arrive(share)
            exchange.slot = .waiting
            exchange.poolReference = Unmanaged.passUnretained(pool)
            // Until its message has come, or `leaveQueue` was told that none will.
            _ = Unmanaged.passRetained(exchange)
            if let displaced { Self.tell(displaced) }
            return .queued
        case .refused(let refusal, let seconds):
            arrive(share)
            let reason: AccessReason =
                switch refusal {
                case .queueFull: .queueFull
                case .deadlineUnmeetable: .deadlineUnmeetable
                case .deadlineExceeded: .deadlineExceeded
                }
            return .refused(AdmissionRefused(reason: reason, retryAfterSeconds: seconds))
        }
    }

    static let memoryRetrySeconds = 5

    private func arrive(_ share: Unmanaged<PoolShare>) {
        share._withUnsafeGuaranteedRef { $0.traffic.arrive(loop: loop.index) }
    }

    private func sheds(_ priority: WeirFlow.Priority, _ pressure: MemoryPressureLevel) -> Bool {
        switch pressure {
        case .normal: false
        case .shedding: priority == .sheddable
        case .critical: true
        }
    }

    private func hold(_ exchange: Exchange, _ pool: AdmissionPool, now: Nanoseconds) {
        exchange.slot = .held
        exchange.poolReference = Unmanaged.passUnretained(pool)
        exchange.executesSince = now
    }

    /// The request's execution has ended: its place goes to whoever is next.
    func leave(_ exchange: Exchange, now: Nanoseconds) {
        guard exchange.slot == .held, let reference = exchange.poolReference else { return }
        exchange.slot = .none
        let took = now > exchange.executesSince ? now &- exchange.executesSince : 0
        exchange.shareReference?._withUnsafeGuaranteedRef {
            $0.traffic.end(loop: loop.index, begun: exchange.executesSince, now: now)
        }
        reference._withUnsafeGuaranteedRef { pool in
            // By its client, or at its deadline.
            let isCutShort = exchange.isCancelled.load(ordering: .relaxed)
            if let samples = server.flow?.samples, server.flow?.pod === pool {
                // What the deadline cut off, or was turned away further on, says nothing about how fast the service is,
                // but that it is too slow. What its client cut off says something where it was slower than most.
                if exchange.status == 504 || exchange.status == 503 {
                    samples.recordFailure(loop: loop.index)
                } else if !isCutShort || took >= pool.meanExecution {
                    samples.record(loop: loop.index, latency: took, inFlight: pool.executingCount)
                }
            }
            if let next = pool.leave(executionNanoseconds: took, isCutShort: isCutShort, now: now) { Self.tell(next) }
        }
    }

    /// A handler that ran elsewhere, or beyond its answer, has ended.
    func handlerEnded(_ exchange: Exchange) {
        if exchange.collectedBytes != 0 {
            // The rest of a body that was too large may come yet.
            exchange.collectedBytes = 0
            exchange.noteHeld()
        }
        if exchange.slot == .held, exchange.connection == nil { leave(exchange, now: loop.instant) }
    }

    /// The client of a request that runs has left before its answer began: its pool is told, if the request had to wait.
    func clientLeft(_ exchange: Exchange) {
        guard exchange.slot == .held, exchange.executesSince > exchange.waitsSince else { return }
        let wait = exchange.executesSince &- exchange.waitsSince
        exchange.poolReference?._withUnsafeGuaranteedRef { $0.clientLeft(afterWaiting: wait) }
    }

    /// The request no longer waits: its client is gone, or its deadline has passed.
    func leaveQueue(_ exchange: Exchange) {
        guard exchange.slot == .waiting, let reference = exchange.poolReference else { return }
        exchange.slot = .none
        switch reference._withUnsafeGuaranteedRef({ $0.cancel(exchange.ticket, now: loop.instant) }) {
        case .removed:
            // Balances `enter`.
            Unmanaged.passUnretained(exchange).release()
        case .abandoned(let wake):
            if let wake { Self.tell(wake) }
        }
    }

    // MARK: Messages

    /// Sends a ticket's owner the one message that the pool's protocol asks for.
    static func tell(_ ticket: AdmissionTicket) {
        guard let pointer = ticket.owner else { preconditionFailure("a ticket without its exchange") }
        // Retained in `enter` until the message has come; its loop never changes.
        let loop = Unmanaged<Exchange>.fromOpaque(pointer)._withUnsafeGuaranteedRef { $0.owner.loop }
        loop.submit(arrived, pointer)
    }

    private static let arrived: Message.Function = { _, pointer in
        // Balances `enter`.
        let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue()
        exchange.owner.decide(exchange, exchange.ticket.reclaim())
    }

    private func decide(_ exchange: Exchange, _ outcome: AdmissionTicket.State) {
        switch outcome {
        case .granted:
            guard let reference = exchange.poolReference else { return }
            let now = loop.latest
            metrics.recordWait(route: exchange.routeIndex, nanoseconds: now &- exchange.waitsSince)
            reference._withUnsafeGuaranteedRef { hold(exchange, $0, now: now) }
            exchange.shareReference?._withUnsafeGuaranteedRef {
                $0.traffic.begin(loop: loop.index, now: now)
            }
            // A request that is over has left the queue by `leaveQueue`, so its outcome is `abandoned`.
            exchange.withConnection { $0.resumeAdmitted(exchange) }
        case .displaced:
            exchange.slot = .none
            let seconds = exchange.poolReference?._withUnsafeGuaranteedRef { $0.retryAfterSeconds(now: loop.now) } ?? 1
            exchange.withConnection {
                $0.refuse(exchange, AdmissionRefused(reason: .queueFull, retryAfterSeconds: seconds))
            }
        case .idle, .waiting, .expired, .abandoned:
            // Its exchange was taken out of use while the message was on its way.
            retire(exchange)
        }
    }
}
