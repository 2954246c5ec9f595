// SPDX-License-Identifier: Apache-2.0
// What a pool publishes, against schedules whose figures are known.

import Testing
import WeirFlow
import WeirTestSupport

@Suite("An admission pool's signals")
struct AdmissionSignalsTests {
    /// A burst of so many requests at the same moment of each period; they wait for 200 ms, and one runs throughout.
    struct Schedule: CustomTestStringConvertible {
        let burst: Int
        let period: Nanoseconds
        let scrapeInterval: Nanoseconds
        var testDescription: String {
            "\(burst) each \(period / millisecond) ms, scraped each \(scrapeInterval / second) s"
        }
        var meanLength: Double { Double(burst) * 0.2 * 1e9 / Double(period) }
    }

    @Test(
        "have the exact mean length of the queue, however short the bursts and whenever they are read",
        arguments: [second, 15 * second, 60 * second].flatMap { interval in
            [
                Schedule(burst: 1, period: second, scrapeInterval: interval),
                Schedule(burst: 7, period: 500 * millisecond, scrapeInterval: interval),
                Schedule(burst: 50, period: second, scrapeInterval: interval),
            ]
        }
    )
    func meanLength(_ schedule: Schedule) {
        let fixture = PoolFixture(requests: 64)
        _ = fixture.enter(0)
        var before = fixture.pool.signals(now: 0)
        var start: Nanoseconds = 0
        for scrape in 1...4 {
            let end = Nanoseconds(scrape) * schedule.scrapeInterval
            while start < end {
                let from = start + 137 * millisecond
                for number in 1...schedule.burst { _ = fixture.enter(number, at: from) }
                for number in 1...schedule.burst {
                    _ = fixture.pool.cancel(fixture.tickets[number], now: from + 200 * millisecond)
                }
                start += schedule.period
            }
            let after = fixture.pool.signals(now: end)
            let mean = Double(after.queueIntegral - before.queueIntegral) / Double(after.instant - before.instant)
            #expect(abs(mean / schedule.meanLength - 1) < 1e-9)
            #expect(after.queuedPeak == schedule.burst)
            before = after
        }
    }

    @Test("have the integral of any schedule, to the nanosecond", arguments: [1, 2, 3] as [UInt64])
    func anySchedule(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let fixture = PoolFixture(requests: 32)
        _ = fixture.enter(0)
        var waiting: [Int] = []
        var now: Nanoseconds = 0
        var integral: UInt128 = 0
        for _ in 0..<2000 {
            let step = Nanoseconds(random.below(1_000_000_000))
            integral += UInt128(waiting.count) * UInt128(step)
            now += step
            if let number = waiting.randomElement(using: &random), random.oneIn(2) {
                _ = fixture.pool.cancel(fixture.tickets[number], now: now)
                waiting.removeAll { $0 == number }
            } else if let number = (1..<32).first(where: { !waiting.contains($0) }) {
                _ = fixture.enter(number, at: now)
                waiting.append(number)
            }
            #expect(fixture.pool.signals(now: now).queueIntegral == integral)
        }
    }

    @Test("never step back, though threads bring their instants out of order")
    func neverBack() {
        let fixture = PoolFixture()
        for number in 0..<3 { _ = fixture.enter(number, at: 100) }
        let later = fixture.pool.signals(now: 200)
        _ = fixture.leave(at: 150)
        let earlier = fixture.pool.signals(now: 120)
        #expect([later.queueIntegral, earlier.queueIntegral] == [200, 200])
        #expect(earlier.instant == 200)
        #expect(fixture.pool.signals(now: 300).queueIntegral == 300)
    }

    @Test("hold an integral that 64 bits do not")
    func wide() {
        let fixture = PoolFixture(queueLimit: 4000, requests: 4000)
        for number in 0..<4000 { _ = fixture.enter(number) }
        let year = 365 * 86_400 * second
        #expect(fixture.pool.signals(now: 10 * year).queueIntegral == 3999 * UInt128(10 * year))
    }

    @Test(
        "show a burst's peak for the whole window, and not for longer than a twelfth more",
        arguments: [(0, 5), (30, 5), (60, 5), (66, 1), (600, 1)] as [(Nanoseconds, Int)]
    )
    func peak(secondsLater: Nanoseconds, peak: Int) {
        let fixture = PoolFixture()
        _ = fixture.enter(0)
        let burst = 1003 * second
        for number in 1...5 { _ = fixture.enter(number, at: burst) }
        for number in 2...5 { _ = fixture.pool.cancel(fixture.tickets[number], now: burst) }
        #expect(fixture.pool.signals(now: burst + secondsLater * second).queuedPeak == peak)
    }

    @Test("tell the age of the oldest that waits, of whatever class")
    func oldest() {
        let fixture = PoolFixture()
        #expect(fixture.pool.signals(now: 5).oldestAge == 0)
        _ = fixture.enter(0, at: 10)
        _ = fixture.enter(1, .sheddable, at: 20)
        _ = fixture.enter(2, .critical, at: 30)
        #expect(fixture.pool.signals(now: 100).oldestAge == 80)
        _ = fixture.pool.cancel(fixture.tickets[1], now: 110)
        #expect(fixture.pool.signals(now: 120).oldestAge == 90)
    }
}
