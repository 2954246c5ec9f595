// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirTestSupport

@Suite struct LoopTimerTests {
    @Test func `a timer fires once, in the turn in which its instant has come`() throws {
        let test = try HandTurnedLoop()
        var fired: [Nanoseconds] = []
        let timer = LoopTimer { fired.append($0.now) }
        let due = test.instant(in: .milliseconds(1500))
        test.loop.schedule(timer, at: due)
        test.advance(by: .milliseconds(1499))
        #expect(fired.isEmpty)
        test.advance(by: .milliseconds(1))
        #expect(fired == [due])
        test.advance(by: .seconds(10))
        #expect(fired == [due])
    }

    @Test func `an instant within a millisecond is rounded up to the next`() throws {
        let test = try HandTurnedLoop()
        var firedCount = 0
        let timer = LoopTimer { _ in firedCount += 1 }
        test.loop.schedule(timer, at: test.clock.now + 1_000_001)
        test.advance(by: .microseconds(1999))
        #expect(firedCount == 0)
        test.advance(by: .microseconds(1))
        #expect(firedCount == 1)
    }

    @Test func `a cancelled timer does not fire, a moved one fires at its new instant`() throws {
        let test = try HandTurnedLoop()
        var names: [String] = []
        let cancelled = LoopTimer { _ in names.append("cancelled") }
        let moved = LoopTimer { _ in names.append("moved") }
        test.loop.schedule(cancelled, at: test.instant(in: .milliseconds(10)))
        test.loop.schedule(moved, at: test.instant(in: .milliseconds(10)))
        test.loop.schedule(moved, at: test.instant(in: .milliseconds(30)))
        test.loop.cancel(cancelled)
        test.advance(by: .milliseconds(29))
        #expect(names.isEmpty)
        test.advance(by: .milliseconds(1))
        #expect(names == ["moved"])
    }

    @Test func `a timer may arm itself and cancel another when it fires`() throws {
        let test = try HandTurnedLoop()
        final class Box {
            var timer: LoopTimer?
            var other: LoopTimer?
            var count = 0
        }
        let box = Box()
        var otherFired = false
        box.other = LoopTimer { _ in otherFired = true }
        box.timer = LoopTimer { loop in
            box.count += 1
            if let other = box.other { loop.cancel(other) }
            if let timer = box.timer, box.count < 5 { loop.schedule(timer, at: loop.now + 1_000_000) }
        }
        let due = test.instant(in: .milliseconds(1))
        if let timer = box.timer, let other = box.other {
            test.loop.schedule(timer, at: due)
            test.loop.schedule(other, at: due)
        }
        for _ in 0..<10 { test.advance(by: .milliseconds(1)) }
        #expect(box.count == 5)
        #expect(!otherFired)
        box.timer = nil
    }

    @Test func `a thousand timers fire in the order of their instants`() throws {
        let test = try HandTurnedLoop()
        let seed = UInt64.random(in: 0...(.max))
        var random = SeededGenerator(seed: seed)
        var fired: [UInt64] = []
        var timers: [LoopTimer] = []
        for _ in 0..<1000 {
            let delay = UInt64(random.below(5000) + 1)
            let timer = LoopTimer { _ in fired.append(delay) }
            timers.append(timer)
            test.loop.schedule(timer, at: test.clock.now + delay * 1_000_000)
        }
        for _ in 0..<5000 { test.advance(by: .milliseconds(1)) }
        #expect(fired.count == 1000, "seed \(seed)")
        #expect(fired == fired.sorted(), "seed \(seed)")
    }
}
