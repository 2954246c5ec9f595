// SPDX-License-Identifier: Apache-2.0
// Those that wait in a pool: who goes next, who has to go, and how long it takes. Pure; guarded by the pool's mutex.

/// A list for each class, in the order of their coming, which is served from one end or the other (`QueueOrder`).
struct AdmissionQueue {
    /// How many requests that cannot be served in time are passed over, at most, to find one that can.
    static let passedOverMax = 32

    private var lists = InlineArray<3, AdmissionTicketList>(repeating: AdmissionTicketList())
    private(set) var count = 0
    private(set) var history: QueueHistory
    private(set) var counts = AdmissionCounts()
    /// By number; the sums over them are what the queue has as a whole.
    private(set) var shares: [QueueShare]
    private let peakWindow: Nanoseconds
    private(set) var giveUps = GiveUpShare()
    /// When the head of the queue last moved, or the queue began. Whatever executes now is at least as old as that,
    /// for while somebody waits a slot that comes free is passed on at once.
    private var movedAt: Nanoseconds = 0

    init(peakWindow: Nanoseconds, now: Nanoseconds) {
        history = QueueHistory(peakWindow: peakWindow, now: now)
        self.peakWindow = peakWindow
        shares = [QueueShare(peakWindow: peakWindow, now: now)]
    }

    /// Answers the number of a new share.
    mutating func addShare() -> Int {
        shares.append(QueueShare(peakWindow: peakWindow, now: history.now))
        return shares.count - 1
    }

    // MARK: In and out

    /// One more waits, in the place of `displaced` if that is given.
    mutating func append(
        _ ticket: AdmissionTicket,
        priority: Priority,
        deadline: Nanoseconds,
        displacing displaced: AdmissionTicket?,
        now: Nanoseconds
    ) {
        precondition(ticket.state == .idle, "a ticket enters that is still in use")
        if count == 0 {
            movedAt = max(now, history.now)
            // Nobody waited meanwhile: that answers for one, so that an old share is forgotten.
            giveUps.record(isGivenUp: false)
        }
        if let displaced {
            // The surplus of an overload is pushed out of a short queue before it can give up.
            if order == .newest { giveUps.record(isGivenUp: true) }
            remove(displaced, becoming: .displaced, now: now)
            counts.displaced += 1
        }
        change(by: 1, now: now)
        ticket.state = .waiting
        ticket.priority = priority
        ticket.deadline = deadline
        ticket.enqueuedAt = history.now
        lists[Int(priority.rawValue)].append(ticket)
        shares[ticket.share].append(ticket, now: history.now)
        counts.waited += 1
    }

    /// Whoever is to have the slot that came free; nil if nobody is left that can still run.
    mutating func popNext(mean: Nanoseconds, now: Nanoseconds) -> AdmissionTicket? {
        for index in lists.indices {
            while let first = front(of: lists[index]), first.deadline <= now { expire(first, now: now) }
            guard let ticket = next(in: lists[index], mean: mean, now: now) else { continue }
            while let passedOver = front(of: lists[index]), passedOver !== ticket {
                expire(passedOver, now: now)
            }
            remove(ticket, becoming: .granted, now: now)
            counts.granted += 1
            movedAt = history.now
            return ticket
        }
        return nil
    }

    /// The owner does not want it any more.
    mutating func cancel(_ ticket: AdmissionTicket, mean: Nanoseconds, now: Nanoseconds) {
        let hasExpired = ticket.deadline <= now
        remove(ticket, becoming: .idle, now: now)
        if hasExpired {
            counts.expired += 1
        } else {
            counts.cancelled += 1
            gaveUp(ticket, mean: mean, now: now)
        }
    }

    /// The client of a request has left that waits, or was granted a slot of which it has not heard.
    mutating func gaveUp(_ ticket: AdmissionTicket, mean: Nanoseconds, now: Nanoseconds) {
        if ticket.deadline > now {
            gaveUp(afterWaiting: max(now, ticket.enqueuedAt) - ticket.enqueuedAt, mean: mean)
        }
    }

    /// Whoever would be served last, if a request of this class that comes now would be served sooner.
    func displaceable(for priority: Priority) -> AdmissionTicket? {
        for index in lists.indices.reversed() where isAhead(priority, of: index) {
            if let last = back(of: lists[index]) { return last }
        }
        return nil
    }

    /// How many of each class wait, in the order of `Priority`.
    var countsByClass: [Int] { lists.indices.map { lists[$0].count } }

    // MARK: How long it takes

    /// How many are served before a request of this class that comes now.
    func ahead(of priority: Priority) -> Int {
        var ahead = 0
        for index in lists.indices where !isAhead(priority, of: index) { ahead += lists[index].count }
        return ahead
    }

    /// How long until so many have left, by Little's law: `limit` requests leave in a mean execution time. 0 before
    /// anything was measured.
    ///
    /// A service that has stalled records nothing, so its mean stays what it was. But all that executes is at least as
    /// old as the last move of the queue, so the mean is taken to be no less than that while somebody waits.
    func drainTime(of requests: Int, limit: Int, mean: Nanoseconds, now: Nanoseconds) -> Nanoseconds {
        guard mean > 0, requests > 0 else { return 0 }
        let stalled = count > 0 ? min(max(now, movedAt) - movedAt, ExecutionEstimate.executionMax) : 0
        return Nanoseconds(requests) * max(mean, stalled) / Nanoseconds(limit)
    }

    func oldestAge(now: Nanoseconds) -> Nanoseconds {
        var oldest = now
        for index in lists.indices {
            if let first = lists[index].first { oldest = min(oldest, first.enqueuedAt) }
        }
        return now - oldest
    }

    /// Brings the history up to `now`.
    mutating func advance(to now: Nanoseconds) {
        change(by: 0, now: now)
        for number in shares.indices { shares[number].advance(to: history.now) }
    }

    // MARK: Order

    /// The client of a request has left, which waits, or runs and has waited, for so long.
    ///
    /// Clients that wait for as long as the queue takes, or say for how long they do, are best served in the order of
    /// arrival: no other serves more of them in time, none is overtaken, and those that cannot be served learn it at once.
    /// Clients that give up sooner and do not say so would get their turn just when they leave, and nobody be served. So
    /// where half of them do, the newest, who are still there, go first (both measured: docs/overload.md).
    ///
    /// It is a sign only if the wait was longer than half an execution. So it is one of a client that stays for one and
    /// a half executions or longer, and none of one that left a slow route before it had waited to speak of.
    mutating func gaveUp(afterWaiting wait: Nanoseconds, mean: Nanoseconds) {
        if wait > mean / 2 { giveUps.record(isGivenUp: true) }
    }

    /// A request has ended that was not cut short, while somebody waits.
    mutating func finished() { giveUps.record(isGivenUp: false) }

    var order: QueueOrder { count > 0 ? giveUps.order : .arrival }

    /// Whoever is next in the order, but those that can no longer be served in time are passed over for one that can. If
    /// there is none among the first few, the first has its chance: a slot is not left idle on the word of an average.
    private func next(in list: AdmissionTicketList, mean: Nanoseconds, now: Nanoseconds) -> AdmissionTicket? {
        var candidate = front(of: list)
        for _ in 0...Self.passedOverMax {
            guard let ticket = candidate else { break }
            if !isTooLate(ticket, mean: mean, now: now) { return ticket }
            candidate = order == .arrival ? ticket.next : unsafe ticket.previous
        }
        return front(of: list)
    }

    private func front(of list: AdmissionTicketList) -> AdmissionTicket? {
        order == .arrival ? list.first : list.last
    }

    private func back(of list: AdmissionTicketList) -> AdmissionTicket? {
        order == .arrival ? list.last : list.first
    }

    /// Whether a request of this class that comes now is served before those of the class `index`.
    private func isAhead(_ priority: Priority, of index: Int) -> Bool {
        order == .arrival ? index > Int(priority.rawValue) : index >= Int(priority.rawValue)
    }

    /// Whether less is left of the deadline than an execution takes.
    private func isTooLate(_ ticket: AdmissionTicket, mean: Nanoseconds, now: Nanoseconds) -> Bool {
        let budget = ticket.deadline - min(ticket.enqueuedAt, ticket.deadline)
        let left = ticket.deadline - min(now, ticket.deadline)
        return left < executionReserve(budget: budget, mean: mean) || left == 0
    }

    private mutating func expire(_ ticket: AdmissionTicket, now: Nanoseconds) {
        remove(ticket, becoming: .expired, now: now)
        counts.expired += 1
    }

    private mutating func remove(_ ticket: AdmissionTicket, becoming state: AdmissionTicket.State, now: Nanoseconds) {
        change(by: -1, now: now)
        shares[ticket.share].remove(ticket, now: history.now)
        lists[Int(ticket.priority.rawValue)].remove(ticket)
        ticket.state = state
    }

    private mutating func change(by difference: Int, now: Nanoseconds) {
        count += difference
        history.record(length: count, at: now)
    }
}

/// What has to be left of a deadline so that the request can still execute.
///
/// A request that came with less than the mean is not judged by the mean: it is of a quicker kind than most.
func executionReserve(budget: Nanoseconds, mean: Nanoseconds) -> Nanoseconds {
    budget >= mean ? mean : 0
}
