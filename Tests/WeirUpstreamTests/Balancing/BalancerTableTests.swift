// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

@Suite struct BalancerTableTests {
    @Test func `policies have the words of the settings`() {
        #expect(BalancingPolicy.allCases.map(\.rawValue) == ["least-latency", "round-robin", "maglev", "first"])
        #expect(BalancingPolicy.default == .leastLatency)
    }

    @Test(arguments: BalancingPolicy.allCases, [[], [0], [0, 0, 0]])
    func `where nobody has a weight there is nobody`(policy: BalancingPolicy, weights: [Int]) {
        var random = WyRand(seed: 1)
        #expect(table(policy, weights).pick(at: 0, random: &random) == nil)
    }

    @Test(arguments: BalancingPolicy.allCases, [[1], [0, 5], [3, 0, 0]])
    func `the only one with a weight is always picked`(policy: BalancingPolicy, weights: [Int]) {
        var random = WyRand(seed: 1)
        let counts = table(policy, weights).counts(100, random: &random)
        #expect(counts == weights.map { $0 > 0 ? 100 : 0 })
    }

    @Test(
        arguments: [BalancingPolicy.leastLatency, .roundRobin],
        [[90, 9, 1], [1, 1], [3, 0, 1], [1, 2, 3, 4, 5]]
    )
    func `shares of idle endpoints are as their weights`(policy: BalancingPolicy, weights: [Int]) {
        var random = WyRand(seed: 2)
        let counts = table(policy, weights).counts(100_000, random: &random)
        #expect(isPlausible(counts, by: weights), "\(counts)")
    }

    @Test(arguments: BalancingPolicy.allCases, 1...40)
    func `excluded ones are never picked, and nobody only where nobody is left`(policy: BalancingPolicy, seed: Int) {
        var choices = SeededGenerator(seed: UInt64(seed))
        let weights = (0..<(1 + choices.below(12))).map { _ in choices.oneIn(4) ? 0 : 1 + choices.below(50) }
        let table = table(policy, weights)
        // Also the one that would answer soonest.
        for entry in table.entries { entry.endpoint.load.note(UInt64(1 + choices.below(1_000_000)), at: 0) }
        var random = WyRand(seed: UInt64(seed))
        for _ in 0..<40 {
            let excluded = Set(weights.indices.shuffled(using: &choices).prefix(choices.below(9)))
            let left = Set(weights.indices.filter { weights[$0] > 0 && !excluded.contains($0) })
            var seen: Set<Int> = []
            for _ in 0..<40 {
                let picked = table.pick(
                    excluding: TriedEndpoints(excluded),
                    key: choices.next(),
                    at: 0,
                    random: &random
                )
                #expect((picked == nil) == left.isEmpty, "seed \(seed)")
                if let picked { seen.insert(picked) }
            }
            #expect(seen.isSubset(of: left), "seed \(seed)")
        }
    }

    /// The heaviest is excluded, and it is nearly all of the table: the draws run out.
    @Test(arguments: [[10_000, 3, 2, 1], [1, 10_000, 1], [2, 65_535]])
    func `the rest shares what an excluded one would get`(weights: [Int]) throws {
        let heaviest = try #require(weights.indices.max { weights[$0] < weights[$1] })
        var random = WyRand(seed: 3)
        let counts = table(.leastLatency, weights)
            .counts(50_000, excluding: TriedEndpoints([heaviest]), random: &random)
        #expect(isPlausible(counts, by: weights.enumerated().map { $0 == heaviest ? 0 : $1 }), "\(counts)")
    }

    @Test func `of more than eight the oldest is forgotten`() {
        var tried = TriedEndpoints(0..<8)
        #expect((0..<8).allSatisfy { tried.contains($0) } && !tried.contains(8))
        tried.insert(8)
        #expect((1...8).allSatisfy { tried.contains($0) } && !tried.contains(0))
    }

    @Test func `the first that can be had is picked`() {
        let table = table(.firstAvailable, [0, 1, 9, 1])
        var random = WyRand(seed: 1)
        var tried = TriedEndpoints()
        for expected in [1, 2, 3] {
            #expect(table.pick(excluding: tried, at: 0, random: &random) == expected)
            tried.insert(expected)
        }
        #expect(table.pick(excluding: tried, at: 0, random: &random) == nil)
    }

    @Test func `turns go on in the table that replaces another`() {
        var random = WyRand(seed: 1)
        let first = table(.roundRobin, [1, 1, 1])
        #expect((0..<4).map { _ in first.pick(at: 0, random: &random) } == [0, 1, 2, 0])
        let second = table(.roundRobin, [1, 1, 1], replacing: first)
        #expect((0..<3).map { _ in second.pick(at: 0, random: &random) } == [1, 2, 0])
    }

    @Test func `an excluded one's turn is that of the next turn`() {
        var random = WyRand(seed: 1)
        // The round is 0 1 0 2 0 3.
        let table = table(.roundRobin, [3, 1, 1, 1])
        let tried = TriedEndpoints([1])
        #expect((0..<6).map { _ in table.pick(excluding: tried, at: 0, random: &random) } == [0, 0, 0, 2, 0, 3])
    }

    @Test func `an endpoint's turns in a row are passed over at once`() {
        var random = WyRand(seed: 1)
        let table = table(.roundRobin, [1, 1000, 1])
        let picked = Set((0..<100).map { _ in table.pick(excluding: TriedEndpoints([1]), at: 0, random: &random) })
        #expect(picked == [0, 2])
    }

    @Test func `threads share one round`() throws {
        let weights = [5, 3, 2]
        let table = table(.roundRobin, weights)
        let counts = Mutex([0, 0, 0])
        let work: @Sendable () -> Void = {
            var random = WyRand()
            let own = table.counts(25_000, random: &random)
            counts.withLock { for index in own.indices { $0[index] += own[index] } }
        }
        let first = try SystemThread.start(work)
        let second = try SystemThread.start(work)
        let third = try SystemThread.start(work)
        work()
        first.join()
        second.join()
        third.join()
        #expect(counts.withLock { $0 } == [50_000, 30_000, 20_000])
    }
}
