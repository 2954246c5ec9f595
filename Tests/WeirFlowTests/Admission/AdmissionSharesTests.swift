// SPDX-License-Identifier: Apache-2.0
// What a pool publishes of its routes: the parts of what it publishes as a whole.

import Synchronization
import Testing
import WeirFlow
import WeirTestSupport

@Suite("An admission pool's shares")
struct AdmissionSharesTests {
    /// A pool with requests of several routes. One thread drives it, as loop 0.
    private final class Routes {
        let pool: AdmissionPool
        let shares: [PoolShare]
        private var tickets: [AdmissionTicket] = []

        init(_ count: Int, limit: Int, queueLimit: Int = 1000, requests: Int = 64) {
            let pool = AdmissionPool(limit: limit, queueLimit: queueLimit, now: 0)
            self.pool = pool
            shares = (0..<count).map { pool.share(of: "/\($0)") }
            tickets = (0..<requests).map { AdmissionTicket(owner: UnsafeMutableRawPointer(bitPattern: $0 + 1)) }
        }

        /// Whether it runs, waits, or was turned away.
        func enter(_ request: Int, route: Int, at now: Nanoseconds) -> Bool? {
            let share = shares[route]
            let outcome = pool.enter(
                tickets[request],
                priority: .default,
                deadline: .max,
                share: share,
                now: now
            )
            switch outcome {
            case .admitted:
                share.traffic.arriveAndBegin(loop: 0, now: now)
                return true
            case .queued:
                share.traffic.arrive(loop: 0)
                return false
            case .refused:
                share.traffic.arrive(loop: 0)
                return nil
            }
        }

        /// Who runs now in the place of the one that leaves.
        func leave(route: Int, begun: Nanoseconds, at now: Nanoseconds) -> Int? {
            shares[route].traffic.end(loop: 0, begun: begun, now: now)
            guard let next = pool.leave(executionNanoseconds: now - begun, now: now) else { return nil }
            #expect(next.reclaim() == .granted)
            return Int(bitPattern: next.owner) - 1
        }

        func begin(route: Int, at now: Nanoseconds) { shares[route].traffic.begin(loop: 0, now: now) }

        func giveUp(_ request: Int, at now: Nanoseconds) { _ = pool.cancel(tickets[request], now: now) }
    }

    private static func expectSums(_ signals: AdmissionSignals) {
        #expect(signals.queued == signals.shares.reduce(0) { $0 + $1.queued })
        #expect(signals.queueIntegral == signals.shares.reduce(0) { $0 + $1.queueIntegral })
        #expect(signals.execution.executing == signals.shares.reduce(0) { $0 + $1.execution.executing })
        let executed = signals.shares.reduce(0) { $0 + $1.execution.requestNanoseconds }
        #expect(signals.execution.requestNanoseconds == executed)
        #expect(signals.arrivals == signals.shares.reduce(0) { $0 + $1.arrivals })
        #expect(signals.oldestAge == signals.shares.map(\.oldestAge).max())
        #expect(signals.shares.allSatisfy { $0.queuedPeak <= signals.queuedPeak })
    }

    @Test("have the same name for the same route, and its counts")
    func names() {
        let pool = AdmissionPool(limit: 1, queueLimit: 1, now: 0)
        let share = pool.share(of: "/a")
        #expect(pool.share(of: "/a") === share)
        #expect(pool.share(of: "/b") !== share)
        #expect(pool.signals(now: 0).shares.map(\.name) == [nil, "/a", "/b"])
    }

    @Test("are bounded: routes beyond the bound are counted together")
    func bounded() {
        let pool = AdmissionPool(limit: 1, queueLimit: 1, now: 0)
        let shares = (0..<AdmissionPool.sharesMax + 10).map { pool.share(of: "/\($0)") }
        #expect(shares.suffix(11).allSatisfy { $0 === shares.last })
        #expect(shares.last?.name == nil)
        #expect(pool.signals(now: 0).shares.count == AdmissionPool.sharesMax)
    }

    @Test("add up to the pool after every step of any schedule", arguments: [1, 2, 3] as [UInt64])
    func anySchedule(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let routes = Routes(4, limit: 3)
        var idle = Array(0..<64)
        var waiting: [Int: Int] = [:]
        var running: [(route: Int, begun: Nanoseconds)] = []
        var now: Nanoseconds = 0
        for _ in 0..<3000 {
            now += Nanoseconds(random.below(50_000_000))
            switch random.below(3) {
            case 0:
                guard let request = idle.popLast() else { continue }
                let route = random.below(4)
                switch routes.enter(request, route: route, at: now) {
                case true?:
                    running.append((route, now))
                    idle.append(request)
                case false?: waiting[request] = route
                case nil: idle.append(request)
                }
            case 1:
                guard !running.isEmpty else { continue }
                let one = running.remove(at: random.below(running.count))
                if let next = routes.leave(route: one.route, begun: one.begun, at: now),
                    let route = waiting.removeValue(forKey: next)
                {
                    routes.begin(route: route, at: now)
                    running.append((route, now))
                    idle.append(next)
                }
            default:
                guard let request = waiting.keys.min() else { continue }
                waiting[request] = nil
                routes.giveUp(request, at: now)
                idle.append(request)
            }
            let signals = routes.pool.signals(now: now)
            Self.expectSums(signals)
            #expect(signals.executing == signals.execution.executing)
            for (number, share) in signals.shares.dropFirst().enumerated() {
                #expect(share.queued == waiting.values.count { $0 == number })
                #expect(share.execution.executing == running.count { $0.route == number })
            }
        }
    }

    @Test(
        "have the exact mean length and concurrency of each route, and its burst of 200 ms in the peak",
        arguments: [second, 15 * second, 60 * second]
    )
    func means(scrapeInterval: Nanoseconds) {
        // Each second, for 200 ms, 3 of one route and 5 of another wait behind the one that runs throughout.
        let routes = Routes(3, limit: 1)
        _ = routes.enter(0, route: 2, at: 0)
        var before = routes.pool.signals(now: 0)
        var start: Nanoseconds = 0
        for scrape in 1...4 {
            let end = Nanoseconds(scrape) * scrapeInterval
            while start < end {
                let burst = start + 613 * millisecond
                for request in 1...8 { _ = routes.enter(request, route: request <= 3 ? 0 : 1, at: burst) }
                for request in 1...8 { routes.giveUp(request, at: burst + 200 * millisecond) }
                start += second
            }
            let after = routes.pool.signals(now: end)
            Self.expectSums(after)
            let elapsed = Double(scrapeInterval)
            let queued = zip(before.shares, after.shares).map {
                Double($1.queueIntegral - $0.queueIntegral) / elapsed
            }
            #expect(abs(queued[1] / 0.6 - 1) < 1e-9)
            #expect(abs(queued[2] / 1.0 - 1) < 1e-9)
            let executing = zip(before.shares, after.shares).map {
                Double($1.execution.requestNanoseconds - $0.execution.requestNanoseconds) / elapsed
            }
            #expect(executing == [0, 0, 0, 1])
            #expect(after.shares.map(\.queuedPeak) == [0, 3, 5, 0])
            #expect(after.shares.map(\.queued) == [0, 0, 0, 0])
            before = after
        }
    }

    @Test("tell the oldest of each route, whoever leaves")
    func oldest() {
        let routes = Routes(2, limit: 1)
        _ = routes.enter(0, route: 0, at: 0)
        for (request, route, instant) in [(1, 0, 10), (2, 1, 20), (3, 0, 30), (4, 1, 40)] {
            _ = routes.enter(request, route: route, at: Nanoseconds(instant))
        }
        func ages() -> [Nanoseconds] { routes.pool.signals(now: 100).shares.dropFirst().map(\.oldestAge) }
        #expect(ages() == [90, 80])
        routes.giveUp(1, at: 100)
        #expect(ages() == [70, 80])
        routes.giveUp(4, at: 100)
        #expect(ages() == [70, 80])
        routes.giveUp(2, at: 100)
        #expect(ages() == [70, 0])
        #expect(routes.leave(route: 0, begun: 0, at: 100) == 3)
        #expect(ages() == [0, 0])
    }

    @Test("add up in every snapshot that is taken while threads enter and leave")
    func threads() {
        let contest = Contest()
        inThreads(Contest.loopCount + 1) { $0 < Contest.loopCount ? contest.compete($0) : contest.watch() }
        #expect(contest.wrong.load(ordering: .relaxed) == 0)
        let end = contest.pool.signals(now: .max / 2)
        #expect(end.queued == 0 && end.executing == 0 && end.execution.executing == 0)
        #expect(end.arrivals == UInt64(Contest.loopCount * Contest.turns))
    }

    /// Threads that enter, and leave or give up at once, and one that takes snapshots meanwhile.
    private final class Contest: Sendable {
        static let loopCount = 3
        static let turns = 5000

        let pool = AdmissionPool(limit: 2, queueLimit: 4, loopCount: loopCount, now: 0)
        /// Snapshots whose parts do not add up, or that step back.
        let wrong = Atomic<Int>(0)
        private let clock = Atomic<Nanoseconds>(1)
        private let ended = Atomic<Int>(0)

        func compete(_ loop: Int) {
            var random = SeededGenerator(seed: UInt64(loop))
            let shares = (0..<3).map { pool.share(of: "/\($0)") }
            let ticket = AdmissionTicket(owner: nil)
            for _ in 0..<Self.turns {
                let now = clock.wrappingAdd(1, ordering: .relaxed).newValue
                let share = shares[random.below(3)]
                // Nobody sends messages: whoever waits gives up, and so passes on the slot that it may have been given.
                switch pool.enter(ticket, priority: .default, deadline: .max, share: share, now: now) {
                case .admitted:
                    share.traffic.arriveAndBegin(loop: loop, now: now)
                    share.traffic.end(loop: loop, begun: now, now: now)
                    _ = pool.leave(executionNanoseconds: 1, now: now)
                case .queued:
                    share.traffic.arrive(loop: loop)
                    if case .abandoned = pool.cancel(ticket, now: now) { _ = ticket.reclaim() }
                case .refused:
                    share.traffic.arrive(loop: loop)
                }
            }
            ended.wrappingAdd(1, ordering: .releasing)
        }

        func watch() {
            var last = pool.signals(now: 0)
            repeat {
                let signals = pool.signals(now: clock.load(ordering: .relaxed))
                let addsUp =
                    signals.queued == signals.shares.reduce(0) { $0 + $1.queued }
                    && signals.queueIntegral == signals.shares.reduce(0) { $0 + $1.queueIntegral }
                    && signals.execution.executing == signals.shares.reduce(0) { $0 + $1.execution.executing }
                let stepsBack =
                    signals.arrivals < last.arrivals || signals.queueIntegral < last.queueIntegral
                    || signals.execution.requestNanoseconds < last.execution.requestNanoseconds
                if !addsUp || stepsBack { wrong.wrappingAdd(1, ordering: .relaxed) }
                last = signals
            } while ended.load(ordering: .acquiring) < Self.loopCount
        }
    }
}
