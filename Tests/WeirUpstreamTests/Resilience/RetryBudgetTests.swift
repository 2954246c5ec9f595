// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

@Suite("RetryBudget") struct RetryBudgetTests {
    private static let second: Nanoseconds = 1_000_000_000

    /// Requests within a second, and how many retries are granted then.
    static let granted: [(Int, Int)] = [(0, 30), (1, 30), (150, 30), (155, 31), (1000, 200), (100_000, 20_000)]

    @Test("A fifth of the requests may be sent again, and three a second in any case", arguments: granted)
    func share(requests: Int, expected: Int) {
        let budget = RetryBudget()
        let now = 100 * Self.second
        for _ in 0..<requests { budget.noteRequest(at: now) }
        var granted = 0
        for _ in 0..<(expected + 100) where budget.takeRetry(at: now, .init()) { granted += 1 }
        #expect(granted == expected)
    }

    @Test("It decides as a list of all requests and retries does", arguments: 1...20 as ClosedRange<UInt64>)
    func model(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var policy = RetryBudget.Policy()
        policy.percent = UInt64(random.below(50))
        policy.perSecondMin = UInt64(random.below(4))
        let budget = RetryBudget()
        var requests: [UInt64] = []
        var retries: [UInt64] = []
        // From the first second on, and where the numbers of seconds go round.
        let round: UInt64 = 1 << 20
        var now = [0, round / 2, round - 20][random.below(3)] * Self.second
        for step in 0..<3000 {
            now += random.oneIn(500) ? UInt64(random.below(40)) * Self.second : UInt64(random.below(30_000_000))
            let present = now / Self.second
            // Some threads' clocks are a little behind.
            let time = present > 2 && random.oneIn(10) ? now - Self.second : now
            if random.oneIn(3) {
                let recent = { (list: [UInt64]) in
                    UInt64(list.count { $0 <= time / Self.second && $0 + 10 > time / Self.second })
                }
                let bound = max(recent(requests) * policy.percent / 100, policy.perSecondMin * 10)
                let isGranted = recent(retries) < bound
                #expect(budget.takeRetry(at: time, policy) == isGranted, "seed \(seed), step \(step)")
                if isGranted { retries.append(time / Self.second) }
            } else {
                budget.noteRequest(at: time)
                requests.append(time / Self.second)
            }
        }
    }

    @Test("A clock that is far behind counts nothing, and grants nothing")
    func behind() {
        let budget = RetryBudget()
        budget.noteRequest(at: 100 * Self.second)
        budget.noteRequest(at: 84 * Self.second)
        let isGranted = budget.takeRetry(at: 84 * Self.second, .init())
        #expect(!isGranted)
        let sums = budget.sums(at: 100 * Self.second)
        #expect(sums.requests == 1)
        #expect(sums.retries == 0)
    }

    @Test(
        "After any time without a request it counts again",
        arguments: [16, 64, 80, 1 << 19, 1 << 20, 1 << 21, 1 << 24]
    )
    func idle(seconds: UInt64) {
        let budget = RetryBudget()
        budget.noteRequest(at: 100 * Self.second)
        let now = (100 + seconds) * Self.second
        budget.noteRequest(at: now)
        let sums = budget.sums(at: now)
        // What is left in a slot from twelve days ago to the second is counted too.
        #expect(sums.requests == (seconds % (1 << 20) == 0 ? 2 : 1))
        let isGranted = budget.takeRetry(at: now, .init())
        #expect(isGranted)
    }

    private final class Shared: Sendable {
        let budget = RetryBudget()
        let granted = Atomic<Int>(0)
    }

    @Test("Threads together are granted no more, at the turn of a second neither, and lose nothing")
    func threads() {
        for round in 0..<20 as Range<UInt64> {
            let shared = Shared()
            let start = (100 + round) * Self.second
            inThreads(4) { thread in
                for number in 0..<2000 {
                    // Half of the threads are in the next second.
                    let now = start + UInt64(thread % 2) * Self.second
                    if number % 2 == 0 { shared.budget.noteRequest(at: now) }
                    if shared.budget.takeRetry(at: now, .init()) { shared.granted.add(1, ordering: .relaxed) }
                }
            }
            let sums = shared.budget.sums(at: start + Self.second)
            #expect(sums.requests == 4000)
            let granted = shared.granted.load(ordering: .relaxed)
            #expect(sums.retries == granted)
            #expect(granted <= 800)
        }
    }
}
