// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop

@Suite struct LoopClockTests {
    @Test func `the monotonic clock does not go back`() {
        var last = LoopClock.monotonic.now
        for _ in 0..<10_000 {
            let now = LoopClock.monotonic.now
            #expect(now >= last)
            last = now
        }
    }

    @Test func `a manual clock moves only when it is told to`() {
        let manual = ManualClock(now: 5)
        let clock = LoopClock.manual(manual)
        #expect(clock.now == 5)
        manual.advance(by: 10)
        #expect(clock.now == 15)
    }

    @Test(arguments: [
        (Duration.zero, Nanoseconds(0)), (.nanoseconds(1), 1), (.milliseconds(1500), 1_500_000_000),
        (.seconds(3600), 3_600_000_000_000), (.seconds(-1), 0), (.nanoseconds(-1), 0),
        (.seconds(1 << 40), Nanoseconds(Int64.max)),
        (Duration(secondsComponent: 1, attosecondsComponent: 999_999_999), Nanoseconds(1_000_000_000)),
    ])
    func `a duration in nanoseconds is cut to what fits`(duration: Duration, nanoseconds: Nanoseconds) {
        #expect(duration.nanosecondsClamped == nanoseconds)
    }
}
