// SPDX-License-Identifier: Apache-2.0
// Real threads on one pool, which enter, give up, leave and change the limit as fast as they can.

import Glibc
import Synchronization
import Testing
import WeirFlow
import WeirTestSupport

/// What the threads share: the pool, the messages to each of them, and what they count.
private final class Contest: Sendable {
    static let threadCount = 5
    /// At least; on a machine that runs one thread at a time for long, more, until they have met in all ways.
    static let turns = 5_000
    static let turnsMax = 100 * turns
    /// Turns of waiting after which a message is taken to be lost: many more than any run takes.
    static let patience = 200_000_000

    /// Above 2, the limit changes all the time between 1 and this.
    let limitMax: Int
    let pool = AdmissionPool(limit: 2, queueLimit: 2, now: 0)
    let clock = Atomic<Nanoseconds>(1)
    let running = Atomic<Int>(0)
    let overLimit = Atomic<Int>(0)
    let lost = Atomic<Int>(0)
    let served = Atomic<Int>(0)
    private let mailboxes: [Mailbox]

    init(limitMax: Int) {
        self.limitMax = limitMax
        mailboxes = (0..<Self.threadCount).map { _ in .init() }
    }

    func send(_ ticket: AdmissionTicket?) {
        guard let ticket else { return }
        mailboxes[Int(bitPattern: ticket.owner)].messages.withLock { $0.append(ticket) }
    }

    func receive(_ thread: Int) -> AdmissionTicket? {
        mailboxes[thread].messages.withLock { $0.popLast() }
    }

    var haveMetInAllWays: Bool {
        let counts = pool.signals(now: clock.load(ordering: .relaxed)).counts
        return counts.granted > 0 && counts.displaced > 0 && counts.cancelled > 0
    }

    func compete(_ thread: Int) {
        var random = SeededGenerator(seed: UInt64(thread))
        let ticket = AdmissionTicket(owner: UnsafeMutableRawPointer(bitPattern: thread))
        for turn in 0..<Self.turnsMax {
            if turn >= Self.turns, turn.isMultiple(of: 1000), haveMetInAllWays { return }
            let now = clock.wrappingAdd(1, ordering: .relaxed).newValue
            if limitMax > 2, random.oneIn(50) { change(limit: 1 + random.below(limitMax), now: now) }
            let priority = Priority(rawValue: UInt8(random.below(3))) ?? .default
            let deadline = random.oneIn(4) ? now + Nanoseconds(1 + random.below(20)) : .max
            switch pool.enter(ticket, priority: priority, deadline: deadline, now: now) {
            case .admitted: run()
            case .queued(let displaced):
                send(displaced)
                wait(
                    ticket,
                    thread,
                    givingUpAfter: deadline != .max || random.oneIn(3) ? random.below(50) : Self.patience
                )
            case .refused: break
            }
        }
    }

    private func change(limit: Int, now: Nanoseconds) {
        var granted = pool.setLimit(limit, now: now)
        while let next = granted.popFirst() { send(next) }
    }

    private func run() {
        if running.wrappingAdd(1, ordering: .relaxed).newValue > limitMax {
            overLimit.wrappingAdd(1, ordering: .relaxed)
        }
        served.wrappingAdd(1, ordering: .relaxed)
        sched_yield()
        running.wrappingSubtract(1, ordering: .relaxed)
        send(pool.leave(executionNanoseconds: 1, now: clock.load(ordering: .relaxed)))
    }

    private func wait(_ ticket: AdmissionTicket, _ thread: Int, givingUpAfter polls: Int) {
        for _ in 0..<polls {
            if let message = receive(thread) { return conclude(message) }
            sched_yield()
        }
        if polls == Self.patience { lost.wrappingAdd(1, ordering: .relaxed) }
        switch pool.cancel(ticket, now: clock.load(ordering: .relaxed)) {
        case .removed: return
        case .abandoned(let wake):
            send(wake)
            for _ in 0..<Self.patience {
                if let message = receive(thread) { return conclude(message) }
                sched_yield()
            }
            lost.wrappingAdd(1, ordering: .relaxed)
        }
    }

    private func conclude(_ ticket: AdmissionTicket) {
        if ticket.reclaim() == .granted { run() }
    }
}

private final class Mailbox: Sendable {
    let messages = Mutex<[AdmissionTicket]>([])
}

/// One of the threads.
private final class Competitor: Sendable {
    let contest: Contest
    let number: Int

    init(_ contest: Contest, _ number: Int) {
        self.contest = contest
        self.number = number
    }
}

@Suite("An admission pool under real threads")
struct AdmissionThreadsTests {
    @Test(
        "keeps its limit, loses no message and no slot, and answers each request once",
        arguments: [2, 3]
    )
    func contest(limitMax: Int) {
        let contest = Contest(limitMax: limitMax)
        var threads: [pthread_t] = []
        for number in 0..<Contest.threadCount {
            var thread = pthread_t()
            pthread_create(&thread, nil, runThread, Unmanaged.passRetained(Competitor(contest, number)).toOpaque())
            threads.append(thread)
        }
        for thread in threads { pthread_join(thread, nil) }

        #expect(contest.overLimit.load(ordering: .relaxed) == 0)
        #expect(contest.lost.load(ordering: .relaxed) == 0)
        #expect(contest.served.load(ordering: .relaxed) > 0)
        let signals = contest.pool.signals(now: contest.clock.load(ordering: .relaxed))
        #expect([signals.executing, signals.queued] == [0, 0])
        let counts = signals.counts
        #expect(contest.haveMetInAllWays)
        #expect(counts.waited == counts.granted + counts.expired + counts.cancelled + counts.displaced)
    }
}

/// Not a closure of the test: the runtime would check its isolation.
private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let competitor = Unmanaged<Competitor>.fromOpaque(argument).takeRetainedValue()
    competitor.contest.compete(competitor.number)
    return nil
}
