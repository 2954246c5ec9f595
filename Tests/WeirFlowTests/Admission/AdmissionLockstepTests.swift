// SPDX-License-Identifier: Apache-2.0
// The world in which all interleavings are walked has the pool's control flow a second time. Here the pool itself goes
// beside it, call by call, in every order of the calls: if one of the two comes to decide otherwise, they part.

import Testing
import WeirFlow

@Suite("The admission pool beside its world of interleavings")
struct AdmissionLockstepTests {
    private enum Call: Hashable {
        case enter(Int)
        case receive(Int)
        case cancel(Int)
        case leave(Int)
        case limit(Int)
        case becomeLate
    }

    /// The pool, its tickets, and whose message is under way.
    private struct Pool {
        static let deadline: Nanoseconds = 1_000_000_000

        let pool: AdmissionPool
        let tickets: [AdmissionTicket]
        var messages: Set<Int> = []
        var now: Nanoseconds = 0

        init(_ world: InterleavingWorld) {
            pool = AdmissionPool(limit: world.word.limit, queueLimit: world.queueLimit, now: 0)
            tickets = world.requests.map { _ in AdmissionTicket() }
        }

        private mutating func tell(_ ticket: AdmissionTicket?) {
            guard let ticket, let number = tickets.firstIndex(where: { $0 === ticket }) else { return }
            #expect(messages.insert(number).inserted, "request \(number) is told twice")
        }

        mutating func make(_ call: Call, _ world: InterleavingWorld) {
            switch call {
            case .enter(let number):
                let request = world.requests[number]
                let outcome = pool.enter(
                    tickets[number],
                    priority: request.isCritical ? .critical : .default,
                    deadline: request.hasDeadline ? Self.deadline : .max,
                    now: now
                )
                if case .queued(let displaced) = outcome { tell(displaced) }
            case .receive(let number):
                messages.remove(number)
                _ = tickets[number].reclaim()
            case .cancel(let number):
                if case .abandoned(let wake) = pool.cancel(tickets[number], now: now) { tell(wake) }
            case .leave: tell(pool.leave(executionNanoseconds: 1, now: now))
            case .limit(let limit):
                var granted = pool.setLimit(limit, now: now)
                while let ticket = granted.popFirst() { tell(ticket) }
            case .becomeLate: now = 2 * Self.deadline
            }
        }

        /// What it has that the world has not.
        func difference(from world: InterleavingWorld) -> String? {
            let (executing, queued) = pool.occupancy
            guard AdmissionWord(executing: executing, queued: queued, limit: pool.limit) == world.word else {
                return "\(executing) run, \(queued) wait, \(pool.limit) may run"
            }
            for (number, request) in world.requests.enumerated() {
                if "\(tickets[number].state)" != "\(request.ticket)" {
                    return "ticket \(number) is \(tickets[number].state)"
                }
                if messages.contains(number) != request.hasMessage { return "messages to \(messages.sorted())" }
            }
            return nil
        }
    }

    /// What can be called next.
    private static func calls(_ world: InterleavingWorld) -> [Call] {
        var calls: [Call] = []
        for (number, request) in world.requests.enumerated() {
            switch request.position {
            // The engine asks nothing for a request whose deadline has passed; the world knows no such refusal.
            case .arriving: if !(request.hasDeadline && world.isLate == true) { calls.append(.enter(number)) }
            case .waiting: calls += request.hasMessage ? [.receive(number), .cancel(number)] : [.cancel(number)]
            case .awaitingMessage: if request.hasMessage { calls.append(.receive(number)) }
            case .running: calls.append(.leave(number))
            default: break
            }
        }
        if case .locking(let limit) = world.limiter { calls.append(.limit(limit)) }
        if world.isLate == false { calls.append(.becomeLate) }
        return calls
    }

    /// The world after a call that nothing comes between.
    private static func after(_ call: Call, _ world: InterleavingWorld) -> InterleavingWorld {
        var world = world
        switch call {
        case .enter(let number), .leave(let number):
            repeat { _ = world.step(number) } while !world.requests[number].position.isBetweenCalls
        case .receive(let number): _ = world.step(number)
        case .cancel(let number):
            world.requests[number].position = .lockingToCancel
            repeat { _ = world.step(number) } while !world.requests[number].position.isBetweenCalls
        case .limit: while world.stepLimiter() {}
        case .becomeLate: world.isLate = true
        }
        return world
    }

    @Test("decides as it does, in all orders of all calls", arguments: AdmissionInterleavingTests.cases)
    func allOrders(_ scenario: AdmissionInterleavingTests.Case) {
        var seen: Set<InterleavingWorld> = [scenario.start]
        var pending: [(world: InterleavingWorld, path: [Call])] = [(scenario.start, [])]
        while let (world, path) = pending.popLast() {
            for call in Self.calls(world) {
                let next = Self.after(call, world)
                let path = path + [call]
                // The pool cannot be copied: it goes the whole way again.
                var pool = Pool(scenario.start)
                for call in path { pool.make(call, scenario.start) }
                if let difference = pool.difference(from: next) {
                    Issue.record("\(difference), behind \(path): \(next)")
                    return
                }
                if seen.insert(next).inserted { pending.append((next, path)) }
            }
        }
        #expect(seen.count > 10)
    }
}

extension InterleavingWorld.Position {
    /// Whether its request is in no call of the pool.
    fileprivate var isBetweenCalls: Bool {
        switch self {
        case .arriving, .waiting, .awaitingMessage, .running, .ended: true
        default: false
        }
    }
}
