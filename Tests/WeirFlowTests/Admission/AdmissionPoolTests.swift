// SPDX-License-Identifier: Apache-2.0
// What a pool answers, one call after the other.

import Testing
import WeirFlow

@Suite("An admission pool")
struct AdmissionPoolTests {
    @Test("admits up to its limit, lets wait up to its queue's, and turns away the rest")
    func limits() {
        let fixture = PoolFixture(limit: 2, queueLimit: 2)
        let told = (0..<5).map { fixture.enter($0) }
        #expect(told == [.admitted, .admitted, .queued, .queued, .refused(.queueFull)])
        let signals = fixture.pool.signals(now: 0)
        #expect([signals.executing, signals.queued, signals.limit, signals.queueLimit] == [2, 2, 2, 2])
    }

    @Test("passes a slot to the one that has waited longest")
    func firstInFirstOut() {
        let fixture = PoolFixture()
        for number in 0..<4 { _ = fixture.enter(number) }
        #expect((0..<4).map { _ in fixture.leave() } == [1, 2, 3, nil])
        #expect((1..<4).map { fixture.reclaim($0) } == [.granted, .granted, .granted])
        #expect(fixture.pool.signals(now: 0).executing == 0)
    }

    @Test("serves higher classes first, and each in the order in which its requests came")
    func classes() {
        let fixture = PoolFixture()
        _ = fixture.enter(0)
        let classes: [Priority] = [.sheddable, .default, .critical, .sheddable, .default, .critical]
        for (index, priority) in classes.enumerated() { _ = fixture.enter(index + 1, priority) }
        #expect((0..<6).map { _ in fixture.leave() } == [3, 6, 2, 5, 1, 4])
    }

    @Test("displaces the newest of the lowest class for a higher one, when the queue is full")
    func displacement() {
        let fixture = PoolFixture(queueLimit: 4)
        _ = fixture.enter(0)
        for (index, priority) in [Priority.sheddable, .default, .sheddable, .default].enumerated() {
            _ = fixture.enter(index + 1, priority)
        }
        #expect(fixture.enter(5, .sheddable) == .refused(.queueFull))
        #expect(fixture.enter(6, .critical) == .queuedDisplacing(3))
        #expect(fixture.enter(7, .default) == .queuedDisplacing(1))
        #expect(fixture.enter(8, .default) == .refused(.queueFull))
        #expect(fixture.enter(9, .critical) == .queuedDisplacing(7))
        #expect(fixture.reclaim(3) == .displaced)
        #expect((0..<5).map { _ in fixture.leave() } == [6, 9, 2, 4, nil])
        let counts = fixture.pool.signals(now: 0).counts
        #expect([counts.waited, counts.granted, counts.displaced] == [7, 4, 3])
    }

    @Test("forgets a request that gives up, and its place can be taken")
    func cancelled() {
        let fixture = PoolFixture(queueLimit: 2)
        for number in 0..<3 { _ = fixture.enter(number) }
        guard case .removed = fixture.pool.cancel(fixture.tickets[1], now: 0) else {
            Issue.record("it waited")
            return
        }
        #expect(fixture.enter(1) == .queued)
        #expect((0..<3).map { _ in fixture.leave() } == [2, 1, nil])
    }

    @Test("passes the slot on of a request that gave up before it heard of the grant")
    func cancelledAfterGrant() {
        let fixture = PoolFixture()
        for number in 0..<3 { _ = fixture.enter(number) }
        #expect(fixture.leave() == 1)
        guard case .abandoned(let wake?) = fixture.pool.cancel(fixture.tickets[1], now: 0) else {
            Issue.record("it had a slot")
            return
        }
        #expect(fixture.number(wake) == 2)
        #expect(fixture.reclaim(1) == .abandoned)
        #expect(fixture.leave() == nil)
        #expect(fixture.pool.signals(now: 0).executing == 0)
    }

    @Test("gives the slot back of a request that gave up before it heard of the grant, if nobody waits")
    func cancelledAfterGrantAlone() {
        let fixture = PoolFixture()
        for number in 0..<2 { _ = fixture.enter(number) }
        #expect(fixture.leave() == 1)
        guard case .abandoned(nil) = fixture.pool.cancel(fixture.tickets[1], now: 0) else {
            Issue.record("nobody waits")
            return
        }
        #expect(fixture.enter(2) == .admitted)
    }

    @Test("tells a request that gave up before it heard of its displacement only to be silent")
    func cancelledAfterDisplacement() {
        let fixture = PoolFixture(queueLimit: 1)
        _ = fixture.enter(0)
        _ = fixture.enter(1, .sheddable)
        #expect(fixture.enter(2) == .queuedDisplacing(1))
        guard case .abandoned(nil) = fixture.pool.cancel(fixture.tickets[1], now: 0) else {
            Issue.record("it had no slot")
            return
        }
        #expect(fixture.reclaim(1) == .abandoned)
        #expect(fixture.leave() == 2)
    }

    @Test("never runs a request whose deadline has passed")
    func expired() {
        let fixture = PoolFixture()
        #expect(fixture.enter(0, deadline: 5, at: 5) == .refused(.deadlineExceeded))
        _ = fixture.enter(0)
        _ = fixture.enter(1, deadline: 10, at: 5)
        _ = fixture.enter(2, deadline: 20, at: 5)
        #expect(fixture.leave(at: 10) == 2)
        #expect(fixture.tickets[1].state == .expired)
        guard case .removed = fixture.pool.cancel(fixture.tickets[1], now: 10) else {
            Issue.record("no message is under way")
            return
        }
        #expect(fixture.tickets[1].state == .idle)
        #expect(fixture.pool.signals(now: 10).counts.expired == 1)
    }

    @Test("gives the slot back when all that wait have expired")
    func allExpired() {
        let fixture = PoolFixture()
        _ = fixture.enter(0)
        for number in 1..<4 { _ = fixture.enter(number, deadline: 10, at: 5) }
        #expect(fixture.leave(at: 10) == nil)
        let signals = fixture.pool.signals(now: 10)
        #expect([signals.executing, signals.queued] == [0, 0])
    }

    @Test("grants at once what a raised limit allows")
    func raised() {
        let fixture = PoolFixture()
        for number in 0..<5 { _ = fixture.enter(number) }
        var granted = fixture.pool.setLimit(3, now: 0)
        #expect(granted.count == 2)
        #expect([granted.popFirst(), granted.popFirst()].map { $0.map(fixture.number) } == [1, 2])
        #expect(granted.popFirst() == nil)
        #expect(fixture.pool.signals(now: 0).executing == 3)
    }

    @Test("lets those finish that run beyond a lowered limit, and passes no slot of theirs on")
    func lowered() {
        let fixture = PoolFixture(limit: 3)
        for number in 0..<5 { _ = fixture.enter(number) }
        _ = fixture.pool.setLimit(1, now: 0)
        #expect((0..<5).map { _ in fixture.leave() } == [nil, nil, 3, 4, nil])
    }

    @Test("keeps those that wait beyond a lowered queue limit, and takes no more")
    func loweredQueue() {
        let fixture = PoolFixture(queueLimit: 3)
        for number in 0..<4 { _ = fixture.enter(number) }
        fixture.pool.setQueueLimit(1)
        #expect(fixture.enter(4) == .refused(.queueFull))
        #expect((0..<3).map { _ in fixture.leave() } == [1, 2, 3])
    }

    @Test("without a queue turns away whoever finds no slot")
    func noQueue() {
        let fixture = PoolFixture(queueLimit: 0)
        #expect([fixture.enter(0), fixture.enter(1, .critical)] == [.admitted, .refused(.queueFull)])
    }
}
