// SPDX-License-Identifier: Apache-2.0
// The pool against a slow and obvious model, on random calls.

import Testing
import WeirFlow
import WeirTestSupport

/// The rules as one would write them down: an array, searched anew for each question.
private struct AdmissionModel {
    struct Request {
        let number: Int
        let priority: Priority
        let deadline: Nanoseconds
        let enqueuedAt: Nanoseconds
    }

    var limit: Int
    var queueLimit: Int
    var executing = 0
    /// In the order of their coming.
    var waiting: [Request] = []
    var movedAt: Nanoseconds = 0
    var isNewestFirst = false
    /// Whether each was given up.
    var outcomes: [Bool] = []

    mutating func enter(_ request: Request, mean: Nanoseconds) -> Told {
        let now = request.enqueuedAt
        if request.deadline <= now { return .refused(.deadlineExceeded) }
        if executing < limit, waiting.isEmpty {
            executing += 1
            return .admitted
        }
        let isFull = waiting.count >= queueLimit
        let line = inOrder(with: request)
        let victim = isFull ? line.last : nil
        if victim?.number == request.number { return .refused(.queueFull) }

        let ahead = line.prefix { $0.number != request.number }.count
        let wait = ahead == 0 || mean == 0 ? 0 : Nanoseconds(ahead) * max(mean, now - movedAt) / Nanoseconds(limit)
        let left = request.deadline - now
        if wait > (left >= mean ? left - mean : left) { return .refused(.deadlineUnmeetable) }

        if waiting.isEmpty {
            movedAt = now
            end(isGivenUp: false)
        }
        waiting.append(request)
        if let victim {
            if isNewestFirst { end(isGivenUp: true) }
            remove(victim)
        }
        return victim.map { .queuedDisplacing($0.number) } ?? .queued
    }

    mutating func leave(mean: Nanoseconds, now: Nanoseconds) -> Int? {
        executing -= 1
        if !waiting.isEmpty { end(isGivenUp: false) }
        return executing < limit ? next(mean: mean, now: now) : nil
    }

    mutating func next(mean: Nanoseconds, now: Nanoseconds) -> Int? {
        for priority in Priority.allCases {
            while let first = inOrder().first(where: { $0.priority == priority }), first.deadline <= now {
                remove(first)
            }
            let line = inOrder().filter { $0.priority == priority }
            guard let first = line.first else { continue }
            let chosen =
                line.prefix(33).first { request in
                    let isJudged = request.deadline - request.enqueuedAt >= mean
                    return request.deadline > now && (!isJudged || request.deadline - now >= mean)
                } ?? first
            for request in line.prefix(while: { $0.number != chosen.number }) { remove(request) }
            remove(chosen)
            executing += 1
            movedAt = now
            return chosen.number
        }
        return nil
    }

    /// In the order in which they will be served, with one more that comes now.
    func inOrder(with request: Request? = nil) -> [Request] {
        let all = waiting + (request.map { [$0] } ?? [])
        return Priority.allCases.flatMap { priority in
            let line = all.filter { $0.priority == priority }
            return isNewestFirst ? line.reversed() : line
        }
    }

    mutating func remove(_ request: Request) {
        waiting.removeAll { $0.number == request.number }
    }

    mutating func giveUp(after wait: Nanoseconds, mean: Nanoseconds) {
        if wait > mean / 2 { end(isGivenUp: true) }
    }

    private mutating func end(isGivenUp: Bool) {
        outcomes.append(isGivenUp)
        let givenUp = outcomes.suffix(32).count { $0 }
        isNewestFirst = isNewestFirst ? givenUp >= 4 : givenUp >= 16
    }
}

@Suite("An admission pool and its model")
struct AdmissionModelTests {
    @Test("answer the same to any calls", arguments: 1...40 as ClosedRange<UInt64>)
    func sameAnswers(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let count = 60
        let fixture = PoolFixture(limit: 2, queueLimit: 8, requests: count)
        var model = AdmissionModel(limit: 2, queueLimit: 8)
        var now: Nanoseconds = 0

        var turned = 0

        func granted(_ number: Int?) {
            if let number { #expect(fixture.reclaim(number) == .granted) }
        }

        for _ in 0..<1500 {
            now += Nanoseconds(random.below(20)) * millisecond
            switch random.below(10) {
            case 0..<5:
                guard let number = (0..<count).first(where: { fixture.tickets[$0].state == .idle }) else { break }
                let deadline = random.oneIn(4) ? .max : now + Nanoseconds(random.below(400)) * millisecond
                let priority = Priority.allCases.randomElement(using: &random) ?? .default
                let mean = fixture.pool.signals(now: now).meanExecution
                let told = fixture.enter(number, priority, deadline: deadline, at: now)
                let expected = model.enter(
                    .init(number: number, priority: priority, deadline: deadline, enqueuedAt: now),
                    mean: mean
                )
                #expect(told == expected)
                if case .queuedDisplacing(let displaced) = told { #expect(fixture.reclaim(displaced) == .displaced) }
            case 5..<8:
                guard model.executing > 0 else { break }
                let next = fixture.leave(after: Nanoseconds(random.below(200)) * millisecond, at: now)
                let mean = fixture.pool.signals(now: now).meanExecution
                #expect(next == model.leave(mean: mean, now: now))
                granted(next)
            case 8:
                let mean = fixture.pool.signals(now: now).meanExecution
                if random.oneIn(4) {
                    for _ in 0..<random.below(24) {
                        let wait = Nanoseconds(random.below(400)) * millisecond
                        fixture.pool.clientLeft(afterWaiting: wait)
                        if !model.waiting.isEmpty { model.giveUp(after: wait, mean: mean) }
                    }
                }
                guard let request = model.waiting.randomElement(using: &random) else { break }
                _ = fixture.pool.cancel(fixture.tickets[request.number], now: now)
                model.remove(request)
                if request.deadline > now { model.giveUp(after: now - request.enqueuedAt, mean: mean) }
            default:
                model.queueLimit = random.below(12)
                fixture.pool.setQueueLimit(model.queueLimit)
                model.limit = 1 + random.below(4)
                let mean = fixture.pool.signals(now: now).meanExecution
                var grants = fixture.pool.setLimit(model.limit, now: now)
                while model.executing < model.limit, let next = model.next(mean: mean, now: now) {
                    let granted = grants.popFirst().map(fixture.number)
                    #expect(granted == next)
                    #expect(fixture.reclaim(next) == .granted)
                }
                #expect(grants.popFirst() == nil)
            }
            for ticket in fixture.tickets where ticket.state == .expired { _ = fixture.pool.cancel(ticket, now: now) }
            let signals = fixture.pool.signals(now: now)
            #expect([signals.executing, signals.queued] == [model.executing, model.waiting.count])
            #expect((signals.order == .newest) == (model.isNewestFirst && !model.waiting.isEmpty))
            if signals.order == .newest { turned += 1 }
            let counts = signals.counts
            let gone = counts.granted + counts.expired + counts.cancelled + counts.displaced
            #expect(counts.waited == gone + UInt64(signals.queued))
        }
        #expect((20...1480).contains(turned), "both orders are compared")
    }
}
