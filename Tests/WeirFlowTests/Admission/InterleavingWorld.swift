// SPDX-License-Identifier: Apache-2.0
// The pool's protocol, cut at each atomic step: a value that says what every actor has done so far and what it can do
// next. The steps of the word are the product's own (AdmissionWord); what the mutex guards is an array here.

import WeirFlow

/// Some requests, a change of the limit, and a clock that moves once past the deadlines, in some state of progress.
struct InterleavingWorld: Hashable {
    enum Ticket: Hashable { case idle, waiting, granted, displaced, expired, abandoned }

    indirect enum Position: Hashable {
        case arriving
        case entering(AdmissionWord)
        case lockingToEnter
        case enteringLocked(AdmissionWord)
        case linking(displaced: Int?)
        case waiting
        case lockingToCancel
        case cancelling
        case unlinking(AdmissionWord)
        case running
        case leaving(AdmissionWord)
        case lockingToLeave
        /// Passes a slot on, in `leave` or in `cancel` of a granted ticket, which then waits for its message.
        case passing(AdmissionWord, isCancelling: Bool)
        case sending(Int, then: Position)
        case awaitingMessage
        case ended(Ending)
    }

    enum Ending: Hashable { case served, refused, displaced, cancelled, abandoned }

    struct Request: Hashable {
        let isCritical: Bool
        let hasDeadline: Bool
        var position = Position.arriving
        var ticket = Ticket.idle
        var hasMessage = false
    }

    enum Limiter: Hashable {
        case none
        case locking(limit: Int)
        case limiting(AdmissionWord, limit: Int)
        case granting(AdmissionWord)
        case sending([Int])
        case ended
    }

    var word: AdmissionWord
    let queueLimit: Int
    var isLocked = false
    /// In the order of their coming; the critical ones before the others.
    var queue: [Int] = []
    /// Whether the order may turn while somebody waits, at any time, and whether the newest go first.
    let turns: Bool
    var isNewestFirst = false
    var requests: [Request]
    var limiter: Limiter
    /// Whether the deadlines have passed; nil where they never do.
    var isLate: Bool?

    /// Every state that one step leads to.
    func successors() -> [InterleavingWorld] {
        var worlds: [InterleavingWorld] = []
        for actor in requests.indices {
            var world = self
            if world.step(actor) { worlds.append(world) }
            // A request that waits can give up at any time, also one whose message is under way.
            if requests[actor].position == .waiting {
                world = self
                world.requests[actor].position = .lockingToCancel
                worlds.append(world)
            }
        }
        var world = self
        if world.stepLimiter() { worlds.append(world) }
        if isLate == false {
            world = self
            world.isLate = true
            worlds.append(world)
        }
        if turns, !isLocked, !queue.isEmpty {
            world = self
            world.isNewestFirst.toggle()
            worlds.append(world)
        }
        return worlds
    }

    // MARK: Requests

    /// Whether the actor can do something, and has.
    mutating func step(_ actor: Int) -> Bool {
        switch requests[actor].position {
        case .arriving: requests[actor].position = .entering(word)
        case .entering(let observed): enter(actor, observed)
        case .lockingToEnter: return lock { $0.requests[actor].position = .enteringLocked($0.word) }
        case .enteringLocked(let observed): enterLocked(actor, observed)
        case .linking(let displaced): link(actor, displaced)
        case .waiting: return receive(actor)
        case .lockingToCancel: return lock { $0.requests[actor].position = .cancelling }
        case .cancelling: cancel(actor)
        case .unlinking(let observed):
            word = observed.waiting(queue.count)
            unlock(actor, .ended(.cancelled))
        case .running: requests[actor].position = .leaving(word)
        case .leaving(let observed): leave(actor, observed)
        case .lockingToLeave: return lock { $0.requests[actor].position = .passing($0.word, isCancelling: false) }
        case .passing(let observed, let isCancelling): pass(actor, observed, isCancelling)
        case .sending(let receiver, let after):
            tell(receiver)
            requests[actor].position = after
        case .awaitingMessage: return receive(actor)
        case .ended: return false
        }
        return true
    }

    private mutating func enter(_ actor: Int, _ observed: AdmissionWord) {
        guard let admitting = observed.admitting else {
            requests[actor].position = .lockingToEnter
            return
        }
        requests[actor].position = swap(observed, for: admitting) ? .running : .entering(word)
    }

    private mutating func enterLocked(_ actor: Int, _ observed: AdmissionWord) {
        if let admitting = observed.admitting {
            if swap(observed, for: admitting) {
                unlock(actor, .running)
            } else {
                requests[actor].position = .enteringLocked(word)
            }
        } else if queue.count >= queueLimit {
            if let victim = last(behind: actor) {
                requests[actor].position = .linking(displaced: victim)
            } else {
                unlock(actor, .ended(.refused))
            }
        } else {
            requests[actor].position =
                swap(observed, for: observed.queueing) ? .linking(displaced: nil) : .enteringLocked(word)
        }
    }

    private mutating func link(_ actor: Int, _ displaced: Int?) {
        if let displaced {
            queue.removeAll { $0 == displaced }
            requests[displaced].ticket = .displaced
        }
        requests[actor].ticket = .waiting
        let behind = requests[actor].isCritical ? queue.firstIndex { !requests[$0].isCritical } : nil
        queue.insert(actor, at: behind ?? queue.endIndex)
        unlock(actor, displaced.map { .sending($0, then: .waiting) } ?? .waiting)
    }

    /// The message has come.
    private mutating func receive(_ actor: Int) -> Bool {
        guard requests[actor].hasMessage else { return false }
        requests[actor].hasMessage = false
        switch requests[actor].ticket {
        case .granted: requests[actor].position = .running
        case .displaced: requests[actor].position = .ended(.displaced)
        case .abandoned: requests[actor].position = .ended(.abandoned)
        case .idle, .waiting, .expired: preconditionFailure("a message came to one that still waits")
        }
        requests[actor].ticket = .idle
        return true
    }

    private mutating func cancel(_ actor: Int) {
        switch requests[actor].ticket {
        case .waiting:
            queue.removeAll { $0 == actor }
            requests[actor].ticket = .idle
            requests[actor].position = .unlinking(word)
        case .expired:
            requests[actor].ticket = .idle
            unlock(actor, .ended(.cancelled))
        case .granted:
            requests[actor].ticket = .abandoned
            requests[actor].position = .passing(word, isCancelling: true)
        case .displaced:
            requests[actor].ticket = .abandoned
            unlock(actor, .awaitingMessage)
        case .idle, .abandoned: preconditionFailure("cancelled, and not waiting")
        }
    }

    private mutating func leave(_ actor: Int, _ observed: AdmissionWord) {
        guard let leaving = observed.leaving else {
            requests[actor].position = .lockingToLeave
            return
        }
        requests[actor].position = swap(observed, for: leaving) ? .ended(.served) : .leaving(word)
    }

    private mutating func pass(_ actor: Int, _ observed: AdmissionWord, _ isCancelling: Bool) {
        let after: Position = isCancelling ? .awaitingMessage : .ended(.served)
        if let leaving = observed.leaving {
            if swap(observed, for: leaving) {
                unlock(actor, after)
            } else {
                requests[actor].position = .passing(word, isCancelling: isCancelling)
            }
        } else if observed.executing > observed.limit {
            word = observed.released
            unlock(actor, after)
        } else {
            let next = popNext()
            word = (next == nil ? observed.released : observed).waiting(queue.count)
            unlock(actor, next.map { .sending($0, then: after) } ?? after)
        }
    }

    // MARK: The limit

    mutating func stepLimiter() -> Bool {
        switch limiter {
        case .none, .ended: return false
        case .locking(let limit): return lock { $0.limiter = .limiting($0.word, limit: limit) }
        case .limiting(let observed, let limit):
            let limited = observed.limited(to: limit)
            if !swap(observed, for: limited) {
                limiter = .limiting(word, limit: limit)
            } else if limited.queued > 0 {
                limiter = .granting(limited)
            } else {
                isLocked = false
                limiter = .ended
            }
        case .granting(let limited):
            var granted: [Int] = []
            while limited.executing + granted.count < limited.limit, let next = popNext() { granted.append(next) }
            word = limited.granting(granted.count).waiting(queue.count)
            isLocked = false
            limiter = .sending(granted)
        case .sending(let granted):
            if let receiver = granted.first { tell(receiver) }
            limiter = granted.isEmpty ? .ended : .sending(Array(granted.dropFirst()))
        }
        return true
    }

    // MARK: Parts of a step

    private mutating func popNext() -> Int? {
        while let front {
            let first = queue.remove(at: front)
            let hasExpired = isLate == true && requests[first].hasDeadline
            requests[first].ticket = hasExpired ? .expired : .granted
            if !hasExpired { return first }
        }
        return nil
    }

    /// Where in the queue the one is that is next: the first or last of the critical ones, or else of the others.
    private var front: Int? {
        guard isNewestFirst, let first = queue.first else { return queue.indices.first }
        return queue.lastIndex { requests[$0].isCritical == requests[first].isCritical }
    }

    /// Whoever is served last, if that is after this one, which comes now.
    private func last(behind actor: Int) -> Int? {
        let others = queue.filter { !requests[$0].isCritical }
        if isNewestFirst { return others.first ?? (requests[actor].isCritical ? queue.first : nil) }
        return requests[actor].isCritical ? others.last : nil
    }

    private mutating func tell(_ receiver: Int) {
        precondition(!requests[receiver].hasMessage, "somebody is told twice")
        requests[receiver].hasMessage = true
    }

    private mutating func swap(_ expected: AdmissionWord, for desired: AdmissionWord) -> Bool {
        guard word == expected else { return false }
        word = desired
        return true
    }

    private mutating func lock(_ body: (inout InterleavingWorld) -> Void) -> Bool {
        guard !isLocked else { return false }
        isLocked = true
        body(&self)
        return true
    }

    private mutating func unlock(_ actor: Int, _ position: Position) {
        isLocked = false
        requests[actor].position = position
    }
}

// MARK: What must be true

extension InterleavingWorld {
    /// Slots that somebody holds, or has been given and will hear of.
    private var held: Int {
        requests.count { request in
            switch request.position {
            case .running, .leaving, .lockingToLeave, .passing: true
            default: request.ticket == .granted
            }
        }
    }

    /// What is wrong with this state as the successor of `before`; nil if nothing is.
    func fault(after before: InterleavingWorld) -> String? {
        if word.executing > before.word.executing, word.executing > word.limit { return "admitted above the limit" }
        if before.word.queued > 0, !before.isLocked, word != before.word { return "changed past somebody who waits" }
        guard !isLocked else { return nil }
        if word.executing != held { return "\(word.executing) execute and \(held) hold a slot" }
        if word.queued != queue.count { return "\(word.queued) are said to wait and \(queue.count) do" }
        if word.queued > 0, word.executing < word.limit { return "somebody waits beside a free slot" }
        return nil
    }

    /// What is wrong where nobody does anything any more; nil if nothing is, or if somebody still can.
    var faultAtRest: String? {
        let isResting = requests.allSatisfy { request in
            switch request.position {
            case .ended: true
            // It would act on a message only; its timer may still cancel it, but must not have to.
            case .waiting, .awaitingMessage: !request.hasMessage
            default: false
            }
        }
        guard isResting, limiter == .none || limiter == .ended else { return nil }
        if isLocked { return "the mutex is held" }
        if word.executing != 0 || word.queued != 0 { return "a slot or a place is lost: \(word)" }
        let isStuck = requests.contains { request in
            if case .ended = request.position { return request.ticket != .idle || request.hasMessage }
            return request.ticket != .expired
        }
        return isStuck ? "somebody waits for ever, or was told twice" : nil
    }
}
