// SPDX-License-Identifier: Apache-2.0
// What a refusal has found holds for whoever comes next, and for nobody once anything has changed.

import Testing
import WeirFlow
import WeirTestSupport

@Suite struct FullQueueTests {
    private static let never = Nanoseconds.max

    /// An outcome, as far as it can be compared.
    private enum Outcome: Equatable {
        case admitted
        case queued(displaced: ObjectIdentifier?)
        case refused(AdmissionRefusal, retryAfterSeconds: Int)
    }

    private func outcome(
        _ pool: AdmissionPool,
        _ priority: Priority,
        _ ticket: AdmissionTicket = AdmissionTicket(),
        now: Nanoseconds
    ) -> Outcome {
        switch pool.enter(ticket, priority: priority, deadline: Self.never, now: now) {
        case .admitted: .admitted
        case .queued(let displaced): .queued(displaced: displaced.map(ObjectIdentifier.init))
        case .refused(let reason, let seconds): .refused(reason, retryAfterSeconds: seconds)
        }
    }

    private func isRemoved(_ cancellation: AdmissionCancellation) -> Bool {
        if case .removed = cancellation { true } else { false }
    }

    /// One runs, one of the class waits, and another of it has been refused.
    private func fullPool(_ priority: Priority, now: Nanoseconds) -> (AdmissionPool, waiting: AdmissionTicket) {
        let pool = AdmissionPool(limit: 1, queueLimit: 1, now: now)
        let waiting = AdmissionTicket()
        #expect(outcome(pool, priority, now: now) == .admitted)
        #expect(outcome(pool, priority, waiting, now: now) == .queued(displaced: nil))
        #expect(outcome(pool, priority, now: now) == .refused(.queueFull, retryAfterSeconds: 1))
        return (pool, waiting)
    }

    @Test func `who is more important than who was refused makes the other one leave`() {
        let (pool, waiting) = fullPool(.default, now: 0)
        #expect(outcome(pool, .critical, now: 0) == .queued(displaced: ObjectIdentifier(waiting)))
    }

    @Test func `another that waits is what the next one is compared with`() {
        let (pool, waiting) = fullPool(.default, now: 0)
        let lower = AdmissionTicket()
        #expect(isRemoved(pool.cancel(waiting, now: 0)))
        #expect(outcome(pool, .sheddable, lower, now: 0) == .queued(displaced: nil))
        #expect(outcome(pool, .default, now: 0) == .queued(displaced: ObjectIdentifier(lower)))
    }

    @Test func `a place in the queue is had at once`() {
        let (pool, waiting) = fullPool(.default, now: 0)
        #expect(pool.leave(executionNanoseconds: 5, now: 0) === waiting)
        #expect(outcome(pool, .default, now: 0) == .queued(displaced: nil))
    }

    @Test func `a longer queue is had at once`() {
        let (pool, _) = fullPool(.default, now: 0)
        pool.setQueueLimit(2)
        #expect(outcome(pool, .default, now: 0) == .queued(displaced: nil))
    }

    @Test func `a higher limit is had at once`() {
        let (pool, waiting) = fullPool(.default, now: 0)
        var granted = pool.setLimit(3, now: 0)
        #expect(granted.popFirst() === waiting)
        #expect(outcome(pool, .default, now: 0) == .admitted)
    }

    /// The wait that is told is that of the moment, to a millisecond.
    @Test func `the wait is worked out anew`() {
        let second: Nanoseconds = 1_000_000_000
        let pool = AdmissionPool(limit: 1, queueLimit: 1, now: 0)
        #expect(outcome(pool, .default, now: 0) == .admitted)
        _ = pool.leave(executionNanoseconds: second, now: second)
        #expect(outcome(pool, .default, now: second) == .admitted)
        #expect(outcome(pool, .default, now: second) == .queued(displaced: nil))
        #expect(outcome(pool, .default, now: second) == .refused(.queueFull, retryAfterSeconds: 1))
        // Nothing has left for ten seconds: an execution takes that long by now.
        #expect(outcome(pool, .default, now: 11 * second) == .refused(.queueFull, retryAfterSeconds: 10))
    }

    /// Against a pool whose findings are dropped before each step: the limit of its queue is set to what it is.
    @Test(arguments: 0..<20) func `it answers as one that has found nothing`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let (pool, plain) = (
            AdmissionPool(limit: 2, queueLimit: 3, now: 0), AdmissionPool(limit: 2, queueLimit: 3, now: 0)
        )
        var waiting: [(AdmissionTicket, AdmissionTicket)] = []
        var (executing, refused) = (0, 0)
        var now: Nanoseconds = 0
        for _ in 0..<2000 {
            now += Nanoseconds.random(in: 0...200_000, using: &generator)
            plain.setQueueLimit(3)
            switch Int.random(in: 0..<10, using: &generator) {
            case 0 where executing > 0:
                let (next, other) = (
                    pool.leave(executionNanoseconds: 100_000, now: now),
                    plain.leave(executionNanoseconds: 100_000, now: now)
                )
                let place = waiting.firstIndex { $0.0 === next }
                #expect(place == waiting.firstIndex { $0.1 === other })
                if let place { waiting.remove(at: place) } else { executing -= 1 }
            case 1 where !waiting.isEmpty:
                let place = Int.random(in: waiting.indices, using: &generator)
                let (one, other) = waiting.remove(at: place)
                #expect(isRemoved(pool.cancel(one, now: now)) && isRemoved(plain.cancel(other, now: now)))
            default:
                let priority = Priority.allCases[Int.random(in: 0..<3, using: &generator)]
                let (one, other) = (AdmissionTicket(), AdmissionTicket())
                let outcome = pool.enter(one, priority: priority, deadline: Self.never, now: now)
                let expected = plain.enter(other, priority: priority, deadline: Self.never, now: now)
                switch (outcome, expected) {
                case (.admitted, .admitted):
                    executing += 1
                case (.queued(let displaced), .queued(let otherDisplaced)):
                    let place = waiting.firstIndex { $0.0 === displaced }
                    #expect(place == waiting.firstIndex { $0.1 === otherDisplaced })
                    if let place { waiting.remove(at: place) }
                    waiting.append((one, other))
                case (.refused(let reason, _), .refused(let otherReason, _)):
                    #expect(reason == otherReason)
                    refused += 1
                default:
                    Issue.record("\(outcome) instead of \(expected)")
                }
            }
        }
        #expect(refused > 100)
    }
}
