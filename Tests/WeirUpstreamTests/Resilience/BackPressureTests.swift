// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

@Suite("BackPressure") struct BackPressureTests {
    private static let millisecond: Nanoseconds = 1_000_000
    private static let second: Nanoseconds = 1_000_000_000

    /// Refusals at milliseconds, with their Retry-After in milliseconds; and the share at a millisecond.
    static let series: [([(UInt64, UInt64?)], UInt64, Double)] = [
        ([], 1000, 1),
        ([(1000, nil)], 1000, 0.5),
        ([(1000, nil), (1050, nil), (1099, nil)], 1099, 0.5),  // one crowd
        ([(1000, nil), (1100, nil)], 1100, 0.2525),
        ([(1000, nil)], 11_000, 1),  // a half in 10 s
        ([(1000, nil)], 6000, 0.75),
        ([(1000, 5000)], 6000, 0.5),
        ([(1000, 5000)], 8000, 0.6),
        ([(1000, 5000)], 16_000, 1),
        ([(1000, nil), (1050, 2000)], 3000, 0.5),  // the crowd may ask for more time
        ([(1000, 2000), (1050, nil)], 3000, 0.5),
        ([(1000, 8000), (1200, nil)], 9000, 0.25),  // what was asked for before still holds
        ([(1000, 3_600_000)], 61_000, 0.5),
        ([(1000, 3_600_000)], 71_000, 1),
        ([(1000, nil), (400, nil)], 1000, 0.5),  // by a clock that is behind
        ([(1000, nil)], 400, 0.5),
    ]

    @Test("The share falls by half, holds and comes back evenly", arguments: series)
    func share(refusals: [(UInt64, UInt64?)], at instant: UInt64, expected: Double) {
        let pressure = BackPressure()
        for (at, retryAfter) in refusals {
            pressure.refused(retryAfter: retryAfter.map { $0 * Self.millisecond }, at: at * Self.millisecond)
        }
        let share = pressure.share(at: instant * Self.millisecond)
        #expect(abs(share - expected) < 0.006)
    }

    @Test(
        "The share is never below the least, and above it a refusal always lowers it",
        arguments: 1...10 as ClosedRange<UInt64>
    )
    func bounds(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let pressure = BackPressure()
        var now: Nanoseconds = Self.second
        for _ in 0..<500 {
            now += BackPressure.decreaseInterval + UInt64(random.below(3_000_000_000))
            let before = pressure.share(at: now)
            pressure.refused(retryAfter: random.oneIn(3) ? UInt64(random.below(10)) * Self.second : nil, at: now)
            let after = pressure.share(at: now)
            #expect(after >= BackPressure.shareMin - 0.001)
            #expect(after < before || before < 0.06)
            #expect(abs(after - max(before / 2, BackPressure.shareMin)) < 0.001)
            let later = pressure.share(at: now + UInt64(random.below(5_000_000_000)))
            #expect(later >= after)
        }
    }

    /// Two endpoints of equal weight; one carries `capacity` requests a second and refuses the rest.
    private static func served(capacity: Int, seconds: Int, seed: UInt64) -> [Int] {
        var random = SeededGenerator(seed: seed)
        let pressure = BackPressure()
        return (1...seconds)
            .map { second in
                var taken = 0
                for number in 0..<1000 {
                    let now = UInt64(second) * Self.second + UInt64(number) * Self.millisecond
                    let share = pressure.share(at: now)
                    guard Double.random(in: 0..<(1 + share), using: &random) < share else { continue }
                    taken += 1
                    if taken > capacity { pressure.refused(retryAfter: nil, at: now) }
                }
                return taken
            }
    }

    @Test("One that refuses everything gets ever less, to the least share", arguments: 1...5 as ClosedRange<UInt64>)
    func refusing(seed: UInt64) {
        let served = Self.served(capacity: 0, seconds: 20, seed: seed)
        #expect(served[0] < 250)
        // A share of 0.05 beside 1 is 48 of 1000.
        for count in served.dropFirst() { #expect(count < 90) }
    }

    @Test("One that carries a part settles about that part", arguments: [100, 200, 300])
    func settling(capacity: Int) {
        let served = Self.served(capacity: capacity, seconds: 120, seed: 1).suffix(100)
        let mean = served.reduce(0, +) / served.count
        #expect(mean > capacity / 2 && mean < capacity * 5 / 4, "\(mean)")
    }

    private final class Shared: Sendable {
        let pressure = BackPressure()
    }

    @Test("A crowd of refusals from several threads is one decrease")
    func threads() {
        let shared = Shared()
        inThreads(4) { thread in
            for number in 0..<1000 {
                shared.pressure.refused(retryAfter: nil, at: Self.second + UInt64(number * 4 + thread))
            }
        }
        let share = shared.pressure.share(at: Self.second)
        #expect(share == 0.5)
    }
}
