// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirFlow
import WeirTestSupport

@Suite("RouteGuard") struct RouteGuardTests {
    private static let millisecond: Nanoseconds = 1_000_000
    private static let given = GuardValues(latencyP95: 10 * millisecond, queueP95: 0)

    /// A guard whose windows a test ends.
    private struct Windows {
        let routeGuard: RouteGuard
        private var now: Nanoseconds = 1_000_000_000
        private var random = SeededGenerator(seed: 1)

        init(_ given: GuardValues = GuardValues(), loops: Int = 2) {
            routeGuard = RouteGuard(name: "* /", policy: GuardPolicy(), loopCount: loops, given: given)
            _ = routeGuard.look(now: now, memoryBytes: { nil }, using: &random)
        }

        /// A window of 40 requests that took so long, at whose end the process has so much memory.
        mutating func window(_ milliseconds: UInt64, requests: Int = 40, memory: UInt64? = nil) -> GuardTransition? {
            for number in 0..<requests {
                routeGuard.record(loop: number % 2, latency: milliseconds * RouteGuardTests.millisecond, queue: 0)
            }
            now += GuardPolicy().window
            return routeGuard.look(now: now, memoryBytes: { memory }, using: &random)
        }

        /// How many of so many requests are to have less.
        func degradedCount(of count: UInt64) -> Int {
            var random = SeededGenerator(seed: 2)
            return (0..<count).filter { _ in routeGuard.degrades { random.next() } }.count
        }
    }

    @Test("What all loops have counted is judged, and most requests have less until it is well again")
    func degrades() {
        var windows = Windows(Self.given)
        #expect(windows.degradedCount(of: 1000) == 0)
        #expect(windows.window(30) == nil)
        #expect(windows.window(30) == nil)
        guard case .degraded(let finding) = windows.window(30) else {
            Issue.record("three bad windows do not degrade the route")
            return
        }
        #expect(finding.signal == .latency && abs(finding.ratio - 3) < 0.2)
        #expect(windows.routeGuard.report.isDegraded && windows.routeGuard.report.degradations == 1)
        #expect((8400...9100).contains(windows.degradedCount(of: 10_000)))
        #expect(windows.window(10) == nil)
        #expect((6200...7100).contains(windows.degradedCount(of: 10_000)))
        #expect(windows.window(10) == nil)
        #expect(windows.window(10) == .recovered)
        #expect(windows.degradedCount(of: 1000) == 0)
        #expect(windows.routeGuard.report.degradations == 1)
    }

    /// Growth in MiB of each window of 15 s, of which 15 are usual, and what the guard says: d degraded, r recovered.
    static let growths: [([Int], String)] = [
        ([90, 90, 90], "..d"),
        // 2.5 times what is usual is just not bad.
        ([37, 37, 37, 37], "...."),
        ([38, 38, 38, 38], "..d."),
        ([90, 90, 15, 90, 90], "....."),
        ([90, 90, 90, 30, 15, -60], "..d..r"),
        ([90, 90, 90, 37, 30, 30, 30], "..d...r"),
    ]

    @Test("Memory that grows faster than is usual for three windows of 15 s degrades the route", arguments: growths)
    func memory(growths: [Int], expected: String) {
        var windows = Windows(GuardValues(latencyP95: 10 * Self.millisecond, queueP95: 0, memoryGrowth: 1_048_576))
        var bytes = 1 << 30
        _ = windows.window(10, memory: UInt64(bytes))
        let said = growths.map { mebibytes -> Character in
            bytes += mebibytes << 20
            switch windows.window(10, memory: UInt64(bytes)) {
            case .degraded(let finding):
                #expect(finding.signal == .memory && finding.value == Double(mebibytes << 20) / 15)
                return "d"
            case .recovered: return "r"
            case .recoveredInSilence: return "s"
            case nil: return "."
            }
        }
        #expect(String(said) == expected)
    }

    @Test("Without a baseline it learns and degrades nothing; then it goes by what it has learnt")
    func learns() {
        var windows = Windows()
        for _ in 0..<22 {
            #expect(windows.routeGuard.report.isLearning)
            #expect(windows.routeGuard.learnt == nil)
            #expect(windows.window(20) == nil)
        }
        #expect(!windows.routeGuard.report.isLearning)
        let learnt = windows.routeGuard.learnt?.latencyP95Seconds ?? 0
        #expect((0.019...0.021).contains(learnt))
        let transitions = (0..<3).map { _ in windows.window(100) != nil }
        #expect(transitions == [false, false, true])
        #expect(windows.routeGuard.learnt?.latencyP95Seconds == learnt)
    }

    @Test("Bad windows are not learnt, also where they do not come to a degradation")
    func bad() {
        var windows = Windows(Self.given)
        // Two of three are bad, so no three are in a row.
        for number in 0..<90 { _ = windows.window(number % 3 == 0 ? 10 : 30) }
        let learnt = windows.routeGuard.learnt?.latencyP95Seconds ?? 0
        #expect((0.009...0.011).contains(learnt))
    }

    @Test("Another policy keeps what was learnt, and the route is as ever under it")
    func follows() {
        var windows = Windows()
        for _ in 0..<22 { _ = windows.window(20) }
        for _ in 0..<3 { _ = windows.window(100) }
        let baseline = windows.routeGuard.report.baseline
        windows.routeGuard.follow(GuardPolicy())
        #expect(windows.routeGuard.report.isDegraded)
        windows.routeGuard.follow(GuardPolicy(windows: 1, ratio: 10))
        #expect(!windows.routeGuard.report.isDegraded)
        #expect(windows.degradedCount(of: 1000) == 0)
        #expect(windows.routeGuard.report.baseline == baseline)
    }

    @Test("Loops record while another thread judges")
    func threads() {
        let routeGuard = RouteGuard(name: "* /", policy: GuardPolicy(window: 1, windows: 1), loopCount: 3)
        inThreads(4) { thread in
            var random = SeededGenerator(seed: 3)
            for number in 0..<5000 {
                if thread < 3 {
                    routeGuard.record(loop: thread, latency: UInt64(number) * 1000, queue: 0)
                } else if number % 50 == 0 {
                    _ = routeGuard.look(now: UInt64(number), memoryBytes: { 0 }, using: &random)
                }
            }
        }
        var random = SeededGenerator(seed: 3)
        _ = routeGuard.look(now: 100_000, memoryBytes: { 0 }, using: &random)
        #expect(!routeGuard.report.isDegraded)
    }
}
