// SPDX-License-Identifier: Apache-2.0
// What a pool expects a request to wait, and what it does about that.

import Testing
import WeirFlow

@Suite("An admission pool's expectation")
struct AdmissionDeadlineTests {
    /// A wait that is expected, for a deadline that is just met and one that is not.
    struct Case: CustomTestStringConvertible {
        let limit: Int
        let ahead: Int
        let expectedWait: Nanoseconds
        var testDescription: String { "\(ahead) ahead, \(limit) at once" }
    }

    @Test(
        "is the requests ahead × the mean execution / the limit, and the execution itself comes on top",
        arguments: [
            Case(limit: 1, ahead: 1, expectedWait: 100 * millisecond),
            Case(limit: 1, ahead: 7, expectedWait: 700 * millisecond),
            Case(limit: 4, ahead: 2, expectedWait: 50 * millisecond),
            Case(limit: 4, ahead: 8, expectedWait: 200 * millisecond),
        ]
    )
    func littlesLaw(_ expected: Case) {
        let fixture = PoolFixture(limit: expected.limit, requests: 32)
        fixture.measure(100 * millisecond)
        for number in 0..<expected.limit + expected.ahead { _ = fixture.enter(number) }
        let least = expected.expectedWait + 100 * millisecond
        #expect(fixture.enter(20, deadline: least - 1) == .refused(.deadlineUnmeetable))
        #expect(fixture.enter(20, deadline: least) == .queued)
    }

    @Test("counts what is ahead of a class, not what is behind")
    func classes() {
        let fixture = PoolFixture()
        fixture.measure(100 * millisecond)
        for number in 0..<6 { _ = fixture.enter(number) }
        #expect(fixture.enter(6, .critical, deadline: 100 * millisecond) == .queued)
        #expect(fixture.enter(7, .sheddable, deadline: 600 * millisecond) == .refused(.deadlineUnmeetable))
        #expect(fixture.enter(7, .sheddable, deadline: 700 * millisecond) == .queued)
    }

    @Test("turns nobody away before anything was measured, nor where nobody is ahead")
    func nothingKnown() {
        let unmeasured = PoolFixture()
        for number in 0..<9 { _ = unmeasured.enter(number) }
        #expect(unmeasured.enter(9, deadline: 1) == .queued)

        let slow = PoolFixture()
        slow.measure(60 * second)
        _ = slow.enter(0)
        #expect(slow.enter(1, deadline: millisecond) == .queued)
    }

    @Test("grows with the time in which nothing has left")
    func stalled() {
        let fixture = PoolFixture()
        fixture.measure(millisecond)
        _ = fixture.enter(0)
        for number in 1..<5 { _ = fixture.enter(number) }
        #expect(fixture.enter(5, deadline: 6 * millisecond) == .queued)
        // All that executes has done so for a second, so five ahead take five of them.
        #expect(fixture.enter(6, deadline: 3 * second, at: second) == .refused(.deadlineUnmeetable))
        #expect(fixture.pool.retryAfterSeconds(now: second) == 5)
        // One has left: there is nothing to say that it will not go on as before.
        _ = fixture.leave(after: millisecond, at: second)
        #expect(fixture.enter(6, deadline: second + 10 * millisecond, at: second) == .queued)
    }

    @Test("is robust against one long execution, and follows a slower service within a few")
    func estimate() {
        let fixture = PoolFixture()
        func mean() -> Nanoseconds { fixture.pool.signals(now: 0).meanExecution }
        #expect(mean() == 0)
        fixture.measure(10 * millisecond)
        #expect(mean() == 10 * millisecond)
        for _ in 0..<100 { fixture.measure(10 * millisecond) }
        fixture.measure(3600 * second)
        #expect(mean() == 20 * millisecond)
        for _ in 0..<10 { fixture.measure(10 * second) }
        #expect(mean() > second)
        for _ in 0..<1000 { fixture.measure(0) }
        #expect((1...millisecond).contains(mean()))
    }

    @Test("learns from an execution that was cut short only that it takes longer")
    func cutShort() {
        let fixture = PoolFixture()
        func mean() -> Nanoseconds { fixture.pool.signals(now: 0).meanExecution }
        fixture.measure(100 * millisecond)
        for execution in [millisecond, 100 * millisecond] {
            _ = fixture.enter(0)
            _ = fixture.pool.leave(executionNanoseconds: execution, isCutShort: true, now: 0)
            #expect(mean() == 100 * millisecond)
        }
        _ = fixture.enter(0)
        _ = fixture.pool.leave(executionNanoseconds: 740 * millisecond, isCutShort: true, now: 0)
        #expect(mean() == 110 * millisecond)
    }

    @Test("passes those over that cannot be served any more, for one that can")
    func passedOver() {
        let fixture = PoolFixture()
        _ = fixture.enter(0)
        for number in 1...3 { _ = fixture.enter(number, deadline: 500 * millisecond) }
        _ = fixture.enter(4, deadline: 900 * millisecond)
        // An execution takes 300 ms, and the first three have 200 ms left.
        #expect(fixture.leave(after: 300 * millisecond, at: 300 * millisecond) == 4)
        #expect((1...3).map { fixture.tickets[$0].state } == [.expired, .expired, .expired])
    }

    @Test("leaves no slot idle for it: where none can be served in time the first has its chance")
    func chance() {
        let fixture = PoolFixture()
        _ = fixture.enter(0)
        for number in 1...3 { _ = fixture.enter(number, deadline: 500 * millisecond) }
        #expect(fixture.leave(after: 300 * millisecond, at: 300 * millisecond) == 1)
        #expect(fixture.pool.signals(now: 300 * millisecond).queued == 2)
    }

    @Test("does not judge a request by the mean that came with less than that")
    func quickerKind() {
        let fixture = PoolFixture()
        fixture.measure(second)
        _ = fixture.enter(0)
        #expect(fixture.enter(1, deadline: 100 * millisecond) == .queued)
        _ = fixture.enter(2, deadline: 10 * second)
        #expect(fixture.leave(at: 50 * millisecond) == 1)
    }

    @Test(
        "is what Retry-After says, rounded up to whole seconds, within 1 and 60",
        arguments: [
            (0, second, 1), (1, millisecond, 1), (3, 500 * millisecond, 2), (4, 500 * millisecond, 2),
            (50, 100 * second, 60), (0, 1500 * millisecond, 2), (0, 100 * second, 60),
        ]
    )
    func retryAfter(queued: Int, mean: Nanoseconds, seconds: Int) {
        let fixture = PoolFixture(queueLimit: 50, requests: 64)
        fixture.measure(mean)
        for number in 0...queued { _ = fixture.enter(number) }
        #expect(fixture.pool.retryAfterSeconds(now: 0) == seconds)
    }

    @Test("is, without a queue, how often a place comes free, however long ago somebody waited")
    func retryAfterWithoutQueue() {
        let fixture = PoolFixture(limit: 4, queueLimit: 0)
        fixture.measure(10 * second)
        for number in 0..<4 { _ = fixture.enter(number, at: 1000 * second) }
        guard
            case .refused(.queueFull, let seconds) = fixture.pool.enter(
                fixture.tickets[4],
                priority: .default,
                deadline: .max,
                now: 1000 * second
            )
        else {
            Issue.record("all places are taken")
            return
        }
        // Ten seconds over four places: 2.5.
        #expect(seconds == 3)
    }
}
