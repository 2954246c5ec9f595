// SPDX-License-Identifier: Apache-2.0
// Admission: so many requests run at once, so many wait, the rest are turned away. Any thread may call a pool.
//
// The protocol:
//
//  1. The word (AdmissionWord.swift) holds how many run, how many wait and how many may run. All three change together.
//  2. While nobody waits, anybody changes the word, by compare-and-swap. While somebody waits, only the holder of the
//     mutex does. A request begins to wait by a compare-and-swap, under the mutex, from a word in which all slots are
//     taken: a slot that is given back before it makes the swap fail, and one that is given back after it is seen to be
//     somebody's.
//  3. So whenever the mutex is free: if somebody waits, no slot is. No wake-up can be lost.
//  4. A slot is passed on, not given back and taken again. `executing` does not change, and nobody can come between.
//  5. A ticket is its owner's while it is idle, and the pool's from `queued` on. The owner touches it again when a
//     message has come (`reclaim`), or when `cancel` has answered `removed`. Only `cancel` may be called in between.
//  6. Whoever is handed a ticket (to wake, or displaced) sends its owner one message. The message is what orders the
//     ticket's memory between the two threads. It carries the ticket or what `owner` points to, so the owner keeps both
//     alive until it has come.
//  7. A ticket leaves the queue once, and the mutex decides how: `granted` or `displaced` by another thread, then one
//     message follows; `expired` by another thread, then none does, and the owner's timer for the deadline calls
//     `cancel`; or by the owner's `cancel`.
//  8. A `cancel` that finds the ticket granted passes the slot on; the message that comes is of no account. After the
//     message the owner calls `leave`, and `cancel` no more.
//
// Time is a parameter: an instant of one monotonic clock.

import Synchronization

package final class AdmissionPool: Sendable {
    /// What a `Retry-After` says at most.
    package static let retryAfterSecondsMax = 60

    /// What the mutex guards.
    struct Waiting {
        var queue: AdmissionQueue
        var queueLimit: Int
        /// In the order of their numbers. The first is of all that have none of their own.
        var shares: [PoolShare]
        var shareNumbers: [String: Int] = [:]
    }

    // Nothing else is on the cache lines of the word and of the estimate: each request writes both.
    private let paddingBefore = InlineArray<7, UInt64>(repeating: 0)
    private let word: Atomic<UInt64>
    let execution = ExecutionEstimate()
    private let paddingAfter = InlineArray<7, UInt64>(repeating: 0)

    let waiting: Mutex<Waiting>
    private let full = FullQueue()

    /// How many threads count in each share.
    let loopCount: Int

    /// The bit pattern of a double. Relaxed: it publishes nothing.
    private let utilizationBits = Atomic<UInt64>(0)

    /// `limit` may run at once (at least 1), `queueLimit` may wait. Both at most `AdmissionWord.countMax`. `loopCount`
    /// threads count what arrives and executes.
    package init(
        limit: Int,
        queueLimit: Int,
        peakWindow: Nanoseconds = 60_000_000_000,
        loopCount: Int = 1,
        now: Nanoseconds
    ) {
        word = Atomic(AdmissionWord(executing: 0, queued: 0, limit: Self.clamped(limit, least: 1)).bits)
        waiting = Mutex(
            Waiting(
                queue: AdmissionQueue(peakWindow: peakWindow, now: now),
                queueLimit: Self.clamped(queueLimit, least: 0),
                shares: [PoolShare(name: nil, number: 0, loopCount: loopCount, now: now)]
            )
        )
        self.loopCount = loopCount
    }

    // MARK: Entering and leaving

    /// A request asks for a slot. The ticket is idle, and the pool's if the answer is `queued`; it then counts in `share`,
    /// nil for that of those that have none.
    package func enter(
        _ ticket: AdmissionTicket,
        priority: Priority,
        deadline: Nanoseconds,
        share: PoolShare? = nil,
        now: Nanoseconds
    ) -> AdmissionOutcome {
        if deadline <= now { return .refused(.deadlineExceeded, retryAfterSeconds: 1) }
        var observed = load()
        while let admitting = observed.admitting {
            if swap(&observed, for: admitting) { return .admitted }
        }
        if let seconds = full.retryAfterSeconds(priority, now: now) {
            return .refused(.queueFull, retryAfterSeconds: seconds)
        }
        return waiting.withLock { waiting in
            // Nobody else looks at the ticket: it is idle.
            ticket.share = share?.number ?? 0
            return enter(ticket, priority: priority, deadline: deadline, now: now, &waiting)
        }
    }

    /// A request gives its slot back, however it ended; the time for which it held the slot is what counts. Answers
    /// whose slot it is now, who is to be sent a message.
    ///
    /// - Parameter isCutShort: its client left, or its deadline passed, before its execution had come to its end.
    package func leave(
        executionNanoseconds: Nanoseconds,
        isCutShort: Bool = false,
        now: Nanoseconds
    ) -> AdmissionTicket? {
        if isCutShort {
            execution.record(atLeast: executionNanoseconds)
        } else {
            execution.record(executionNanoseconds)
        }
        var observed = load()
        while let leaving = observed.leaving {
            if swap(&observed, for: leaving) { return nil }
        }
        return changing { waiting in
            if !isCutShort { waiting.queue.finished() }
            return passOn(now: now, &waiting)
        }
    }

    /// The owner gives up a ticket that waits: its client has gone, or its deadline has passed. Before its message has
    /// come; the mutex decides whether it was sooner than the grant.
    package func cancel(_ ticket: AdmissionTicket, now: Nanoseconds) -> AdmissionCancellation {
        changing { waiting in
            switch ticket.state {
            case .waiting:
                waiting.queue.cancel(ticket, mean: execution.mean, now: now)
                store(load().waiting(waiting.queue.count))
                return .removed
            case .expired:
                ticket.state = .idle
                return .removed
            case .granted:
                ticket.state = .abandoned
                waiting.queue.gaveUp(ticket, mean: execution.mean, now: now)
                return .abandoned(wake: passOn(now: now, &waiting))
            case .displaced:
                ticket.state = .abandoned
                return .abandoned(wake: nil)
            case .idle, .abandoned:
                preconditionFailure("a ticket is cancelled that does not wait")
            }
        }
    }

    /// The client of a request that runs has left, which had waited for so long. `leave` still follows, cut short.
    package func clientLeft(afterWaiting wait: Nanoseconds) {
        guard load().queued > 0 else { return }
        changing { $0.queue.gaveUp(afterWaiting: wait, mean: execution.mean) }
    }

    // MARK: Under the mutex

    /// Takes the mutex for what may change who waits, in which order, or how many may.
    func changing<Result>(_ body: (inout sending Waiting) -> sending Result) -> sending Result {
        waiting.withLock { waiting in
            full.forget()
            return body(&waiting)
        }
    }

    private func enter(
        _ ticket: AdmissionTicket,
        priority: Priority,
        deadline: Nanoseconds,
        now: Nanoseconds,
        _ waiting: inout Waiting
    ) -> AdmissionOutcome {
        var observed = load()
        while true {
            if let admitting = observed.admitting {
                if swap(&observed, for: admitting) { return .admitted }
                continue
            }
            if waiting.queue.count >= waiting.queueLimit {
                return displace(for: ticket, priority: priority, deadline: deadline, now: now, &waiting)
            }
            if !isMeetable(deadline, priority: priority, now: now, waiting) {
                return .refused(.deadlineUnmeetable, retryAfterSeconds: retryAfterSeconds(now: now, waiting))
            }
            if swap(&observed, for: observed.queueing) {
                full.forget()
                waiting.queue.append(ticket, priority: priority, deadline: deadline, displacing: nil, now: now)
                return .queued(displaced: nil)
            }
        }
    }

    /// The queue is full: whoever would be served last makes room, or is this request and is turned away.
    private func displace(
        for ticket: AdmissionTicket,
        priority: Priority,
        deadline: Nanoseconds,
        now: Nanoseconds,
        _ waiting: inout Waiting
    ) -> AdmissionOutcome {
        guard let displaced = waiting.queue.displaceable(for: priority) else {
            let seconds = retryAfterSeconds(now: now, waiting)
            full.note(priority, retryAfterSeconds: seconds, now: now)
            return .refused(.queueFull, retryAfterSeconds: seconds)
        }
        guard isMeetable(deadline, priority: priority, now: now, waiting) else {
            return .refused(.deadlineUnmeetable, retryAfterSeconds: retryAfterSeconds(now: now, waiting))
        }
        full.forget()
        // One for one: the word stays as it is.
        waiting.queue.append(ticket, priority: priority, deadline: deadline, displacing: displaced, now: now)
        return .queued(displaced: displaced)
    }

    /// The caller's slot goes to whoever is next, or is given back.
    private func passOn(now: Nanoseconds, _ waiting: inout Waiting) -> AdmissionTicket? {
        var observed = load()
        while let leaving = observed.leaving {
            if swap(&observed, for: leaving) { return nil }
        }
        // More run than may, since the limit was lowered.
        if observed.executing > observed.limit {
            store(observed.released)
            return nil
        }
        let next = waiting.queue.popNext(mean: execution.mean, now: now)
        let passed = next == nil ? observed.released : observed
        store(passed.waiting(waiting.queue.count))
        return next
    }

    /// Whether a request of this class that begins to wait now would be served before its deadline.
    private func isMeetable(
        _ deadline: Nanoseconds,
        priority: Priority,
        now: Nanoseconds,
        _ waiting: borrowing Waiting
    ) -> Bool {
        let left = deadline - now
        let reserve = executionReserve(budget: left, mean: execution.mean)
        return expectedWait(of: priority, now: now, waiting) <= left - reserve
    }

    /// How long a request of this class would wait that comes now.
    func expectedWait(of priority: Priority, now: Nanoseconds, _ waiting: borrowing Waiting) -> Nanoseconds {
        waiting.queue.drainTime(
            of: waiting.queue.ahead(of: priority),
            limit: load().limit,
            mean: execution.mean,
            now: now
        )
    }

    func retryAfterSeconds(now: Nanoseconds, _ waiting: borrowing Waiting) -> Int {
        let drained = waiting.queue.drainTime(
            // Where nobody waits, the next place that comes free is the client's to have.
            of: max(1, waiting.queue.count),
            limit: load().limit,
            mean: execution.mean,
            now: now
        )
        let seconds = (drained + 999_999_999) / 1_000_000_000
        return max(1, Int(min(seconds, Nanoseconds(Self.retryAfterSecondsMax))))
    }

    /// The offered load over the limit, as it was last found out.
    package var utilization: Double {
        get { Double(bitPattern: utilizationBits.load(ordering: .relaxed)) }
        set { utilizationBits.store(newValue.bitPattern, ordering: .relaxed) }
    }

    // MARK: The word

    /// Relaxed: a word that is only read decides nothing, the swap of it does.
    func load() -> AdmissionWord { AdmissionWord(bits: word.load(ordering: .relaxed)) }

    /// Acquire and release, each pairing with the other of another thread's swap or store: what a request did before it
    /// gave its slot back has happened for the request that takes it. Answers false, and the word as it is, if it was
    /// not `expected`.
    func swap(_ expected: inout AdmissionWord, for desired: AdmissionWord) -> Bool {
        let (exchanged, original) = word.weakCompareExchange(
            expected: expected.bits,
            desired: desired.bits,
            successOrdering: .acquiringAndReleasing,
            failureOrdering: .relaxed
        )
        if !exchanged { expected = AdmissionWord(bits: original) }
        return exchanged
    }

    /// By the mutex's holder while somebody waits, when nobody else changes the word. Release: pairs with the acquire
    /// of the swap that takes a slot given back here.
    func store(_ desired: AdmissionWord) { word.store(desired.bits, ordering: .releasing) }

    static func clamped(_ count: Int, least: Int) -> Int { max(least, min(count, AdmissionWord.countMax)) }
}
