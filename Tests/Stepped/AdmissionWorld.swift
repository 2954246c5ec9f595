// SPDX-License-Identifier: Apache-2.0
// An admission pool, as it is, among requests that enter, wait, give up and leave, each on a stepped thread; others
// change its limits, or the time. What must be true of it: AdmissionWorld+Invariants.swift.

package final class AdmissionWorld: SteppedWorld {
    enum Place: Int {
        case arriving, entering, waiting, cancelling, awaitingMessage, running, leaving, ended
    }

    final class Request {
        let number: Int
        /// Whether its client leaves while it runs.
        let isLeaver: Bool
        let ticket = unsafe AdmissionTicket()
        let priority: Priority
        let deadline: Nanoseconds
        var place = Place.arriving
        var hasMessage = false
        /// Whether the pool had no room for it at some time since it came.
        var hasMetFullPool = false
        /// Whether it holds a slot, by what it was told.
        var holdsSlot = false

        init(number: Int, isLeaver: Bool, priority: Priority, deadline: Nanoseconds) {
            self.number = number
            self.isLeaver = isLeaver
            self.priority = priority
            self.deadline = deadline
        }
    }

    /// When all of them are.
    private static let deadline: Nanoseconds = 1_000_000_000

    package private(set) var threads: [SteppedThread] = []
    let pool: AdmissionPool
    let requests: [Request]
    var now: Nanoseconds = 0
    let memory: SteppedMemory
    let limitMax: Int
    private let passesDeadlines: Bool
    /// Before the last step.
    var wordBefore: AdmissionWord
    /// The order in which those that wait were served, before it turned round while they did.
    package internal(set) var turnedFrom: QueueOrder?
    /// How many were given a slot of those that waited, before the last step.
    var grantedBefore: UInt64 = 0
    /// Before the last step; nil while nobody waits.
    var orderBefore: QueueOrder?
    /// What a call did that it may not; nil if nothing.
    var wrong: String?

    package init(_ scenario: AdmissionScenario, _ memory: SteppedMemory) {
        self.memory = memory
        pool = AdmissionPool(limit: scenario.limit, queueLimit: scenario.queueLimit, now: 0)
        wordBefore = pool.load()
        limitMax = max(scenario.limit, scenario.newLimit ?? 0)
        passesDeadlines = !scenario.deadlines.isEmpty
        requests = (0..<scenario.count).map { number in
            Request(
                number: number,
                isLeaver: scenario.leavers.contains(number),
                priority: scenario.criticals.contains(number) ? .critical : .default,
                deadline: scenario.deadlines.contains(number) ? Self.deadline : .max
            )
        }
        pool.waiting.look { Self.prepare(&$0.queue, scenario.past) }
        memory.guarded = { [unowned self] in guarded(for: $0) }
        addThreads(scenario)
    }

    private static func prepare(_ queue: inout AdmissionQueue, _ past: AdmissionScenario.Past?) {
        guard let past else { return }
        // One is missing to what turns the queue round.
        for _ in 1..<GiveUpShare.turningMin { queue.gaveUp(afterWaiting: 1, mean: 0) }
        guard past == .turnsBackAtNextAnswer else { return }
        queue.gaveUp(afterWaiting: 1, mean: 0)
        // The 32 hold one more than keeps it turned; the first that waits is answered for.
        for _ in 0..<(32 - GiveUpShare.keepingMin - 1) { queue.finished() }
    }

    private func addThreads(_ scenario: AdmissionScenario) {
        for request in requests {
            threads.append(SteppedThread(memory) { [unowned self] in serve(request, $0) })
        }
        if scenario.newLimit != nil || scenario.newQueueLimit != nil {
            threads.append(SteppedThread(memory) { [unowned self] in change(scenario, $0) })
        }
        if passesDeadlines {
            threads.append(
                SteppedThread(memory) { [unowned self] thread in
                    _ = thread.choose { [1] }
                    now = 2 * Self.deadline
                }
            )
        }
    }

    // MARK: What the threads do

    private func serve(_ request: Request, _ thread: SteppedThread) {
        go(request, .entering, thread)
        request.hasMetFullPool = isFull(for: request.priority)
        let now = time(thread)
        switch pool.enter(request.ticket, priority: request.priority, deadline: request.deadline, now: now) {
        case .admitted:
            run(request, thread)
        case .queued(let displaced):
            tell(displaced)
            wait(request, thread)
        case .refused(let refusal, _):
            if refusal == .queueFull, !request.hasMetFullPool { wrong = "turned away though there was room" }
            go(request, .ended, thread)
        }
    }

    /// Where time does not pass, no step is made of reading it.
    private func time(_ thread: SteppedThread) -> Nanoseconds {
        if !passesDeadlines { thread.begin() }
        thread.observe(Int(now))
        return now
    }

    /// It is at a place where it remembers nothing.
    private func go(_ request: Request, _ place: Place, _ thread: SteppedThread) {
        request.place = place
        thread.place(place.rawValue)
    }

    private func wait(_ request: Request, _ thread: SteppedThread) {
        go(request, .waiting, thread)
        guard thread.choose({ request.hasMessage ? [0, 1] : [1] }) == 0 else { return cancel(request, thread) }
        request.hasMessage = false
        switch request.ticket.reclaim() {
        case .granted: run(request, thread)
        case .displaced: go(request, .ended, thread)
        case let state: wrong = "a message came for a ticket that is \(state)"
        }
    }

    private func cancel(_ request: Request, _ thread: SteppedThread) {
        go(request, .cancelling, thread)
        guard case .abandoned(let wake) = pool.cancel(request.ticket, now: time(thread)) else {
            return go(request, .ended, thread)
        }
        tell(wake)
        go(request, .awaitingMessage, thread)
        _ = thread.choose { request.hasMessage ? [0] : [] }
        request.hasMessage = false
        if request.ticket.reclaim() != .abandoned { wrong = "a ticket was cancelled and is not abandoned" }
        go(request, .ended, thread)
    }

    private func run(_ request: Request, _ thread: SteppedThread) {
        request.holdsSlot = true
        go(request, .running, thread)
        _ = thread.choose { [0] }
        if request.isLeaver { pool.clientLeft(afterWaiting: Self.deadline) }
        request.holdsSlot = false
        go(request, .leaving, thread)
        tell(pool.leave(executionNanoseconds: 0, isCutShort: request.isLeaver, now: time(thread)))
        go(request, .ended, thread)
    }

    private func change(_ scenario: AdmissionScenario, _ thread: SteppedThread) {
        if let limit = scenario.newLimit {
            var granted = pool.setLimit(limit, now: time(thread))
            while let ticket = granted.popFirst() { tell(ticket) }
        }
        thread.place(1)
        if let queueLimit = scenario.newQueueLimit { pool.setQueueLimit(queueLimit) }
    }

    /// The owner of this ticket is sent a message. One step with the call that answered the ticket: a message that is
    /// sent later could as well be received later.
    private func tell(_ ticket: AdmissionTicket?) {
        guard let ticket else { return }
        for request in requests where request.ticket === ticket {
            if request.hasMessage { wrong = "request \(request.number) is told twice" }
            request.hasMessage = true
        }
    }
}
