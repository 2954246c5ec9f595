// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirFlow
import WeirTestSupport

@Suite("LiveGuard") struct LiveGuardTests {
    private static let millisecond: Nanoseconds = 1_000_000
    private static let baseline = GuardValues(
        latencyP95: 100 * millisecond,
        queueP95: 10 * millisecond,
        memoryGrowth: 2_000_000
    )

    private static func window(_ ratio: Double, requests: UInt64 = 100) -> GuardWindow {
        GuardWindow(
            requests: requests,
            values: GuardValues(latencyP95: Nanoseconds(ratio * Double(100 * millisecond)))
        )
    }

    /// Windows: b is bad (3 × the baseline), B just bad, m between the two thresholds, M just not bad, G just good, g
    /// good, and - silent. What the guard says to each: d degraded, r recovered, s recovered in silence.
    static let sequences: [(String, String)] = [
        ("bbb", "..d"),
        ("BBB", "..d"),
        ("MMMMMM", "......"),
        ("bbgbbgbb", "........"),
        ("bbmbbm", "......"),
        ("bb-b", "...."),
        ("bbbb", "..d."),
        ("bbbggg", "..d..r"),
        ("bbbGGG", "..d..r"),
        ("bbbggmggmggg", "..d........r"),
        ("bbbggbggg", "..d.....r"),
        ("bbbmmmmmmmmm", "..d........."),
        ("bbbg--gg", "..d....r"),
        ("bbb-------g", "..d........"),
        ("bbb--------", "..d.......s"),
        ("bbb----g----g----g", "..d..............r"),
        ("bbbgggbbb", "..d..r..d"),
        ("bbbgggbb", "..d..r.."),
        ("--------b--------", "................."),
    ]

    @Test("Three bad windows in a row degrade a route, three good ones bring it back", arguments: sequences)
    func series(windows: String, expected: String) {
        var live = LiveGuard(baseline: Self.baseline)
        let ratios: [Character: Double] = ["b": 3, "B": 2.51, "m": 2.2, "M": 2.5, "G": 2, "g": 1]
        let said = windows.map { window -> Character in
            let transition = live.judge(ratios[window].map { Self.window($0) } ?? Self.window(9, requests: 29))
            switch transition {
            case nil: return "."
            case .degraded(let finding):
                #expect(finding.signal == .latency)
                #expect(live.isDegraded)
                return "d"
            case .recovered: return live.isDegraded ? "!" : "r"
            case .recoveredInSilence: return live.isDegraded ? "!" : "s"
            }
        }
        #expect(String(said) == expected)
    }

    /// Windows as above, and the eighths of the requests that are served as ever after each.
    static let shares: [(String, [Int])] = [
        ("bbbggg", [8, 8, 1, 2, 5, 8]),
        ("bbbggbgm", [8, 8, 1, 2, 5, 1, 2, 1]),
        // Degraded again soon after it was back: twice as many good ones are needed.
        ("bbbggg" + "bbb" + "gggggg", [8, 8, 1, 2, 5, 8, 8, 8, 1, 1, 2, 4, 5, 6, 8]),
    ]

    @Test("The way back goes in steps, and a relapse makes it longer", arguments: shares)
    func steps(windows: String, expected: [Int]) {
        var live = LiveGuard(baseline: Self.baseline)
        let ratios: [Character: Double] = ["b": 3, "m": 2.2, "g": 1]
        let eighths = windows.map { window in
            _ = live.judge(Self.window(ratios[window] ?? 0))
            return Int(live.share * 8)
        }
        #expect(eighths == expected)
    }

    @Test("Relapses need at most eight times as many good windows, and one long after is none")
    func growth() {
        var live = LiveGuard(baseline: Self.baseline)
        func windowsBack() -> Int {
            for _ in 0..<3 { _ = live.judge(Self.window(3)) }
            var count = 0
            while live.isDegraded {
                _ = live.judge(Self.window(1))
                count += 1
            }
            return count
        }
        #expect((0..<6).map { _ in windowsBack() } == [3, 6, 12, 24, 24, 24])
        for _ in 0..<100 { _ = live.judge(Self.window(1)) }
        #expect(windowsBack() == 3)
    }

    @Test("What is good lies two thirds of the way to what is bad", arguments: [(2.5, 2.0), (4, 3), (1.1, 1.0666)])
    func release(ratio: Double, release: Double) {
        #expect(abs(GuardPolicy(ratio: ratio).releaseRatio - release) < 1e-3)
    }

    /// Latency and queue in milliseconds, growth in MB/s; the signal that is highest above its baseline, and its ratio.
    static let worstSignals: [(Double, Double, Double, GuardSignal, Double)] = [
        (300, 10, 2, .latency, 3), (100, 40, 2, .queue, 4), (100, 10, 10, .memory, 5), (300, 31, 2, .queue, 3.1),
        (50, 0, -7, .latency, 0.5),
    ]

    @Test("The signal that is highest above its baseline is named", arguments: worstSignals)
    func finding(latency: Double, queue: Double, growth: Double, signal: GuardSignal, ratio: Double) throws {
        let window = GuardWindow(
            requests: 100,
            values: GuardValues(
                latencyP95: Nanoseconds(latency * 1e6),
                queueP95: Nanoseconds(queue * 1e6),
                memoryGrowth: growth * 1e6
            )
        )
        let finding = try #require(LiveGuard(baseline: Self.baseline).finding(window))
        #expect(finding.signal == signal)
        #expect(abs(finding.ratio - ratio) < 1e-9)
    }

    @Test("A baseline of next to nothing counts as the least", arguments: GuardSignal.allCases)
    func least(signal: GuardSignal) throws {
        let zero = GuardValues(latencyP95: 0, queueP95: 0, memoryGrowth: -5)
        let policy = GuardPolicy()
        let least: [GuardSignal: Double] = [
            .latency: Double(policy.latencyLeast), .queue: Double(policy.queueLeast),
            .memory: policy.memoryGrowthLeast,
        ]
        let value = 3 * (least[signal] ?? 0)
        var values = GuardValues()
        switch signal {
        case .latency: values.latencyP95 = Nanoseconds(value)
        case .queue: values.queueP95 = Nanoseconds(value)
        case .memory: values.memoryGrowth = value
        }
        let finding = try #require(LiveGuard(baseline: zero).finding(GuardWindow(requests: 100, values: values)))
        #expect(finding.signal == signal)
        #expect(finding.ratio == 3)
    }

    @Test("Without a baseline nothing is judged")
    func without() {
        var live = LiveGuard()
        for _ in 0..<10 {
            let transition = live.judge(Self.window(100))
            #expect(transition == nil)
        }
    }

    @Test("Windows are cut from readings that only grow")
    func windows() throws {
        let latency = LatencyHistogram()
        let queue = LatencyHistogram()
        var windows = GuardWindows(length: 15_000_000_000)
        func cut(_ second: UInt64, _ bytes: UInt64?) -> GuardWindow? {
            let readings = GuardReadings(latency: latency.snapshot, queue: queue.snapshot, memoryBytes: bytes)
            return windows.cut(readings, now: second * 1_000_000_000)
        }
        latency.record(1_000_000_000)
        #expect(cut(100, 1_000_000) == nil)
        for _ in 0..<40 {
            latency.record(10 * Self.millisecond)
            queue.record(0)
        }
        #expect(!windows.isDue(at: 114_999_999_999))
        #expect(cut(114, 5) == nil)
        #expect(windows.isDue(at: 115_000_000_000))
        let first = try #require(cut(115, 31_000_000))
        #expect(first.requests == 40)
        #expect((9_400_000...10_600_000).contains(first.values.latencyP95 ?? 0))
        #expect((first.values.queueP95 ?? 9999) < 1024)
        #expect(first.values.memoryGrowth == 2_000_000)
        // Asked for late, and nothing has come.
        let second = try #require(cut(145, 1_000_000))
        #expect(second == GuardWindow(requests: 0, values: GuardValues(memoryGrowth: -1_000_000)))
        let third = try #require(cut(160, nil))
        #expect(third.values.memoryGrowth == nil)
    }

    /// Answers the windows in which the route was degraded, of latencies that are multiplied in some of them.
    private static func simulate(
        slow: Range<Int>,
        factor: Double,
        requests: Int,
        windows: Int,
        seed: UInt64
    ) -> [Int] {
        var random = SeededGenerator(seed: seed)
        let latency = LatencyHistogram()
        let queue = LatencyHistogram()
        var cutter = GuardWindows(length: 15_000_000_000)
        var learner = BaselineLearner()
        var live = LiveGuard()
        var degraded: [Int] = []
        for number in 0...windows {
            let readings = GuardReadings(latency: latency.snapshot, queue: queue.snapshot, memoryBytes: nil)
            if let window = cutter.cut(readings, now: UInt64(number) * 15_000_000_000) {
                _ = live.judge(window)
                learner.add(window, isDegraded: live.isDegraded, using: &random)
                live.baseline = learner.baseline
                if live.isDegraded { degraded.append(number) }
            }
            for _ in 0..<requests {
                // The tail of busy servers: a sum of squares of uniform numbers is skewed.
                let spread = Double.random(in: 0..<1, using: &random)
                let usual = 5e6 + 40e6 * spread * spread * spread
                latency.record(UInt64(slow.contains(number) ? usual * factor : usual))
            }
        }
        return degraded
    }

    @Test("A learnt baseline finds the windows that are slow, and no other", arguments: 1...10 as ClosedRange<UInt64>)
    func slow(seed: UInt64) {
        let degraded = Self.simulate(slow: 60..<80, factor: 4, requests: 60, windows: 120, seed: seed)
        // A window is judged when it has ended; the third bad one degrades, the third good one brings back.
        #expect(degraded == Array(63...82), "seed \(seed)")
    }

    @Test("Half as slow again is nothing", arguments: 1...10 as ClosedRange<UInt64>)
    func usual(seed: UInt64) {
        let degraded = Self.simulate(slow: 60..<80, factor: 1.5, requests: 40, windows: 400, seed: seed)
        #expect(degraded.isEmpty, "seed \(seed)")
    }

    @Test("Being slow for long is not learnt", arguments: 1...5 as ClosedRange<UInt64>)
    func long(seed: UInt64) {
        let degraded = Self.simulate(slow: 60..<1000, factor: 4, requests: 40, windows: 1010, seed: seed)
        #expect(degraded == Array(63...1002), "seed \(seed)")
    }
}
