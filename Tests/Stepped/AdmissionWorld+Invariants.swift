// SPDX-License-Identifier: Apache-2.0
// What must be true of an admission pool after each step of its threads, and when they have come to rest.

extension AdmissionWorld {
    package func willStep() {
        wordBefore = pool.load()
        orderBefore = order
        grantedBefore = granted
    }

    package func didStep() {
        for request in requests where request.place == .entering && isFull(for: request.priority) {
            request.hasMetFullPool = true
        }
        if let orderBefore, let order, order != orderBefore { turnedFrom = orderBefore }
    }

    private var granted: UInt64 { pool.waiting.look { $0.queue.counts.granted } }

    private var order: QueueOrder? { pool.waiting.look { $0.queue.count > 0 ? $0.queue.order : nil } }

    /// Whether the pool has no slot and no place for a request of this class.
    func isFull(for priority: Priority) -> Bool {
        pool.load().admitting == nil
            && pool.waiting.look { $0.queue.count >= $0.queueLimit && $0.queue.displaceable(for: priority) == nil }
    }

    package func fault(hadMutex: Bool) -> String? {
        if let wrong { return wrong }
        let word = pool.load()
        if word.executing > wordBefore.executing, word.executing > word.limit { return "admitted above the limit" }
        if granted > grantedBefore, word.executing > word.limit { return "a slot was passed on above the limit" }
        if wordBefore.queued > 0, !hadMutex, word != wordBefore { return "changed past somebody who waits" }
        let holders = requests.count { $0.holdsSlot || $0.ticket.state == .granted }
        if holders > limitMax { return "\(holders) have a slot of \(limitMax)" }
        return memory.isLocked ? nil : faultBetweenSections(word, holders: holders)
    }

    /// What is wrong while nobody holds the mutex.
    private func faultBetweenSections(_ word: AdmissionWord, holders: Int) -> String? {
        let (queued, counts) = pool.waiting.look { ($0.queue.count, $0.queue.counts) }
        if word.queued != queued { return "\(word.queued) are said to wait and \(queued) do" }
        if word.queued > 0, word.executing < word.limit { return "somebody waits beside a free slot" }
        if requests.count(where: { $0.ticket.state == .waiting }) != queued { return "somebody waits in no queue" }
        let gone = counts.granted + counts.expired + counts.cancelled + counts.displaced
        if counts.waited != gone + UInt64(queued) { return "lost or counted twice: \(counts), \(queued) wait" }
        // Whoever leaves or gives up may have given its slot back, or not yet.
        let leaving = requests.count { $0.place == .leaving || $0.place == .cancelling }
        if !(holders...holders + leaving).contains(word.executing) {
            return "\(word.executing) execute, \(holders) hold a slot and \(leaving) may"
        }
        return nil
    }

    package func faultAtRest() -> String? {
        let word = pool.load()
        if memory.isLocked { return "the mutex is held" }
        if word.executing != 0 || word.queued != 0 { return "\(word.executing) execute for ever, \(word.queued) wait" }
        for request in requests {
            switch request.place {
            case .ended where request.ticket.state == .idle && !request.hasMessage: continue
            // Its timer takes it out; it is out of the queue already.
            case .waiting where request.ticket.state == .expired && !request.hasMessage: continue
            default: return "request \(request.number) is \(request.place) for ever, its ticket \(request.ticket.state)"
            }
        }
        return nil
    }

    // MARK: The state

    /// Requests of one kind are alike: states in which two of them have changed places count as one.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(now)
        hashQueue(into: &hasher)
        hasher.combine(requests.map { hash(of: $0, on: threads[$0.number]) }.sorted())
        for thread in threads.dropFirst(requests.count) { thread.hash(into: &hasher) }
    }

    /// What the pool's mutex guards, as this thread finds it. Which of two alike a ticket is that it takes out needs no
    /// keeping: until its owner is told, which is one step with the answer, there is no other that is out and not told.
    func guarded(for thread: SteppedThread) -> Int {
        var hasher = Hasher()
        hashQueue(into: &hasher)
        hasher.combine(requests.map { hash(of: $0) }.sorted())
        if let own = requests.first(where: { threads[$0.number] === thread }) { hasher.combine(hash(of: own)) }
        return hasher.finalize()
    }

    private func hashQueue(into hasher: inout Hasher) {
        pool.waiting.look { waiting in
            hasher.combine(waiting.queueLimit)
            hasher.combine(waiting.queue.history.now)
            hasher.combine(waiting.queue.giveUps.outcomes)
            hasher.combine(waiting.queue.giveUps.order)
        }
    }

    /// A request, its ticket and its place in the queue, and its thread if that is given.
    private func hash(of request: Request, on thread: SteppedThread? = nil) -> Int {
        var hasher = Hasher()
        hasher.combine(request.priority)
        hasher.combine(request.deadline)
        hasher.combine(request.isLeaver)
        hasher.combine(request.ticket.state)
        hasher.combine(request.ticket.enqueuedAt)
        var behind = request.ticket
        var position = 0
        while let next = behind.next {
            behind = next
            position += 1
        }
        hasher.combine(position)
        if let thread {
            hasher.combine(request.place)
            hasher.combine(request.hasMessage)
            hasher.combine(request.hasMetFullPool)
            hasher.combine(request.holdsSlot)
            thread.hash(into: &hasher)
        }
        return hasher.finalize()
    }
}
