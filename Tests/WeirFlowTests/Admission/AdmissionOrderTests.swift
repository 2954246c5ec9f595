// SPDX-License-Identifier: Apache-2.0
// When a queue stands, and who goes next then.

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

    @Test(
        "turns round when a client gives up that would have had its answer but for the wait",
        arguments: [(100, .arrival), (101, .newest)] as [(Nanoseconds, QueueOrder)]
    )
    func givesUp(after elapsed: Nanoseconds, order: QueueOrder) {
        let waits = fixture([.default, .default, .default])
        _ = waits.pool.cancel(waits.tickets[1], now: elapsed * millisecond)
        #expect(self.order(of: waits) == order)
        #expect(waits.leave(at: elapsed * millisecond) == (order == .newest ? 3 : 2))

        let runs = fixture([.default, .default])
        runs.pool.clientLeft(after: elapsed * millisecond)
        #expect(self.order(of: runs) == order)
        #expect(runs.leave(at: elapsed * millisecond) == (order == .newest ? 2 : 1))
    }

    @Test("does not turn round for a deadline that has passed, nor where nobody waits")
    func keeps() {
        let late = PoolFixture()
        _ = late.enter(0)
        for number in 1...3 { _ = late.enter(number, deadline: number == 1 ? 10 : .max) }
        _ = late.pool.cancel(late.tickets[1], now: 10)
        #expect(late.leave(at: 10) == 2)

        let empty = fixture([])
        empty.pool.clientLeft(after: second)
        _ = empty.enter(1)
        _ = empty.enter(2)
        #expect(empty.leave() == 1)
    }

    @Test("is that of arrival again when nobody waits any more")
    func endsEmpty() {
        let fixture = fixture([.default, .default])
        fixture.pool.clientLeft(after: second)
        #expect((0..<2).map { _ in fixture.leave() } == [2, 1])
        #expect(order(of: fixture) == .arrival)
        for number in 3...5 { _ = fixture.enter(number) }
        #expect((0..<3).map { _ in fixture.leave() } == [3, 4, 5])
    }

    @Test("has the newest of the highest class first, when it stands")
    func classes() {
        let fixture = fixture([.sheddable, .default, .critical, .sheddable, .default, .critical])
        fixture.pool.clientLeft(after: second)
        #expect((0..<6).map { _ in fixture.leave() } == [6, 3, 5, 2, 4, 1])
    }

    @Test("has whoever would be served last make room in a full queue: the oldest of the lowest class, when it stands")
    func displacement() {
        let fixture = fixture([.sheddable, .default, .sheddable, .default], queueLimit: 4)
        #expect(fixture.enter(5, .sheddable) == .refused(.queueFull))
        fixture.pool.clientLeft(after: second)
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
        fixture.pool.clientLeft(after: second)
        #expect(fixture.enter(2) == .queuedDisplacing(1))
        #expect(order(of: fixture) == .newest)
        #expect(fixture.enter(3) == .queuedDisplacing(2))
    }

    @Test("turns nobody away for those that it overtakes, when it stands")
    func expectedWait() {
        let fixture = fixture([.critical, .default, .default])
        #expect(fixture.enter(4, deadline: 300 * millisecond) == .refused(.deadlineUnmeetable))
        fixture.pool.clientLeft(after: second)
        #expect(fixture.pool.signals(now: 0).expectedWait == 100 * millisecond)
        #expect(fixture.enter(4, deadline: 200 * millisecond - 1) == .refused(.deadlineUnmeetable))
        #expect(fixture.enter(4, deadline: 300 * millisecond) == .queued)
    }

    @Test("never runs a request whose deadline has passed, and passes over what comes too late, from either end")
    func deadlines() {
        let fixture = fixture([.default, .default])
        fixture.pool.clientLeft(after: second)
        _ = fixture.enter(3, deadline: 250 * millisecond)
        _ = fixture.enter(4, deadline: 150 * millisecond)
        #expect(fixture.leave(after: 100 * millisecond, at: 200 * millisecond) == 2)
        #expect([3, 4].map { fixture.tickets[$0].state } == [.expired, .expired])
        #expect(fixture.leave(after: 100 * millisecond, at: 300 * millisecond) == 1)
    }
}
