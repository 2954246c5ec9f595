// SPDX-License-Identifier: Apache-2.0
// When a queue turns round, and who goes next then.

import Testing
import WeirFlow

@Suite("An admission queue's order")
struct AdmissionOrderTests {
    /// One runs, those after it wait, and an execution takes 100 ms.
    private func fixture(_ waiting: [Priority], queueLimit: Int = 100) -> PoolFixture {
        let fixture = PoolFixture(queueLimit: queueLimit)
        fixture.measure(100 * millisecond)
        _ = fixture.enter(0)
        for (index, priority) in waiting.enumerated() { _ = fixture.enter(index + 1, priority) }
        return fixture
    }

    private func order(of fixture: PoolFixture) -> QueueOrder { fixture.pool.signals(now: 0).order }

    /// So many clients leave whose requests run and had waited, by default until the queue turns round.
    private func giveUp(_ fixture: PoolFixture, _ count: Int = 16, after wait: Nanoseconds = 51) {
        for _ in 0..<count { fixture.pool.clientLeft(afterWaiting: wait * millisecond) }
    }

    @Test(
        "turns round when half of 32 were given up, waiting or running, after a wait of more than half an execution",
        arguments: [(16, 51, .newest), (15, 51, .arrival), (100, 50, .arrival)] as [(Int, Nanoseconds, QueueOrder)]
    )
    func givesUp(count: Int, wait: Nanoseconds, order: QueueOrder) {
        let runs = fixture([.default, .default])
        giveUp(runs, count, after: wait)
        #expect(self.order(of: runs) == order)
        #expect(runs.leave() == (order == .newest ? 2 : 1))

        let waits = fixture([.default, .default])
        var now: Nanoseconds = 0
        for _ in 0..<count {
            _ = waits.enter(3, at: now)
            now += wait * millisecond
            _ = waits.pool.cancel(waits.tickets[3], now: now)
        }
        #expect(self.order(of: waits) == order)
        #expect(waits.leave(at: now) == (order == .newest ? 2 : 1))
    }

    @Test("counts a client that leaves while the message of its slot is under way")
    func leavesGranted() {
        let fixture = fixture([.default, .default, .default])
        giveUp(fixture, 15)
        _ = fixture.leave(at: 60 * millisecond)
        _ = fixture.pool.cancel(fixture.tickets[1], now: 60 * millisecond)
        #expect(order(of: fixture) == .newest)
    }

    @Test("turns back when fewer than an eighth of 32 were given up, though somebody waits")
    func turnsBack() {
        let fixture = fixture([.default, .default])
        giveUp(fixture)
        for round in 1...29 {
            #expect(order(of: fixture) == .newest, "after \(round - 1) answers")
            let next = fixture.leave()
            #expect(next == (round < 29 ? 2 : 1), "after \(round) answers")
            if next == 2 {
                _ = fixture.reclaim(2)
                _ = fixture.enter(2)
            }
        }
        #expect(order(of: fixture) == .arrival)
    }

    @Test("does not turn round for a client of a slow route that leaves early, though all of them do")
    func slowRoute() {
        let fixture = PoolFixture()
        fixture.measure(20 * millisecond)
        for number in 0...2 { _ = fixture.enter(number) }
        // They wait for 10 ms and run for 300.
        for _ in 0..<100 { fixture.pool.clientLeft(afterWaiting: 10 * millisecond) }
        #expect(fixture.leave(after: 300 * millisecond, at: 310 * millisecond) == 1)
    }

    @Test("does not turn round for deadlines that have passed, nor where nobody waits")
    func keeps() {
        let late = PoolFixture()
        _ = late.enter(0)
        for number in 1...2 { _ = late.enter(number) }
        var now: Nanoseconds = 0
        for _ in 0..<32 {
            let deadline = now + second
            #expect(late.enter(3, deadline: deadline, at: now) == .queued)
            now = deadline
            _ = late.pool.cancel(late.tickets[3], now: now)
        }
        #expect(late.leave(at: now) == 1)

        let empty = fixture([])
        giveUp(empty, 32)
        for number in 1...2 { _ = empty.enter(number) }
        #expect(empty.leave() == 1)
    }

    @Test("forgets a share that was, as the queue empties time and again")
    func endsEmpty() {
        let fixture = fixture([.default, .default])
        giveUp(fixture)
        #expect((0..<2).map { _ in fixture.leave() } == [2, 1])
        #expect(order(of: fixture) == .arrival)
        for _ in 0..<29 {
            _ = fixture.enter(3)
            #expect(fixture.leave() == 3)
            _ = fixture.reclaim(3)
        }
        for number in 4...6 { _ = fixture.enter(number) }
        #expect((0..<3).map { _ in fixture.leave() } == [4, 5, 6])
    }

    @Test("overtakes nobody for a client that leaves, nor for a few", arguments: [0, 1, 8])
    func fewGiveUp(count: Int) {
        let clients = PatientClients(count: 40, limit: 2)
        clients.run(until: 2 * second)
        clients.giveUp(count)
        clients.run(until: 20 * second)
        #expect((clients.overtakings, clients.refused) == (0, 0))
        #expect(clients.served.allSatisfy { (19...20).contains($0) })
        #expect(clients.longestWait == 950 * millisecond)
    }

    @Test("is that of arrival again soon where those are patient who come after")
    func patientAfter() {
        let clients = PatientClients(count: 40, limit: 2)
        clients.run(until: 2 * second)
        clients.giveUp(38)
        #expect(clients.order == .newest)
        clients.run(until: 3 * second)
        #expect(clients.order == .arrival)
        let overtakings = clients.overtakings
        clients.run(until: 20 * second)
        #expect((clients.overtakings, clients.refused) == (overtakings, 0))
        #expect(overtakings <= 32)
    }

    @Test("has the newest of the highest class first, turned round")
    func classes() {
        let fixture = fixture([.sheddable, .default, .critical, .sheddable, .default, .critical])
        giveUp(fixture)
        #expect((0..<6).map { _ in fixture.leave() } == [6, 3, 5, 2, 4, 1])
    }

    @Test("has whoever would be served last make room in a full queue: the oldest of the lowest class, turned round")
    func displacement() {
        let fixture = fixture([.sheddable, .default, .sheddable, .default], queueLimit: 4)
        #expect(fixture.enter(5, .sheddable) == .refused(.queueFull))
        giveUp(fixture)
        #expect(fixture.enter(5, .sheddable) == .queuedDisplacing(1))
        #expect(fixture.enter(6, .default) == .queuedDisplacing(3))
        #expect(fixture.enter(7, .critical) == .queuedDisplacing(5))
        #expect(fixture.enter(8, .sheddable) == .refused(.queueFull))
        #expect(fixture.enter(9, .default) == .queuedDisplacing(2))
        #expect((0..<5).map { _ in fixture.leave() } == [7, 9, 6, 4, nil])
    }

    @Test("stays where the one that waits makes room for another")
    func standsOn() {
        let fixture = fixture([.default], queueLimit: 1)
        giveUp(fixture)
        #expect(fixture.enter(2) == .queuedDisplacing(1))
        #expect(order(of: fixture) == .newest)
        #expect(fixture.enter(3) == .queuedDisplacing(2))
    }

    @Test("turns nobody away for those that it overtakes, turned round")
    func expectedWait() {
        let fixture = fixture([.critical, .default, .default])
        #expect(fixture.enter(4, deadline: 300 * millisecond) == .refused(.deadlineUnmeetable))
        giveUp(fixture)
        #expect(fixture.pool.signals(now: 0).expectedWait == 100 * millisecond)
        #expect(fixture.enter(4, deadline: 200 * millisecond - 1) == .refused(.deadlineUnmeetable))
        #expect(fixture.enter(4, deadline: 300 * millisecond) == .queued)
    }

    @Test("never runs a request whose deadline has passed, and passes over what comes too late, from either end")
    func deadlines() {
        let fixture = fixture([.default, .default])
        giveUp(fixture)
        _ = fixture.enter(3, deadline: 250 * millisecond)
        _ = fixture.enter(4, deadline: 150 * millisecond)
        #expect(fixture.leave(after: 100 * millisecond, at: 200 * millisecond) == 2)
        #expect([3, 4].map { fixture.tickets[$0].state } == [.expired, .expired])
        #expect(fixture.leave(after: 100 * millisecond, at: 300 * millisecond) == 1)
    }
}
