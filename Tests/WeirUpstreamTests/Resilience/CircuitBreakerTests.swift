// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

@Suite("CircuitBreaker") struct CircuitBreakerTests {
    private static let second: Nanoseconds = 1_000_000_000

    private static func policy(failures: UInt64 = 3, probes: UInt64 = 1) -> CircuitPolicy {
        var policy = CircuitPolicy()
        policy.failures = failures
        policy.probes = probes
        return policy
    }

    /// Answers until when it is open.
    private static func open(
        _ breaker: borrowing CircuitBreaker,
        at now: Nanoseconds,
        _ policy: CircuitPolicy,
        _ random: inout SeededGenerator
    ) -> Nanoseconds {
        var length: Nanoseconds = 0
        for _ in 0..<policy.failures {
            guard breaker.admit(at: now, policy) == .request else { break }
            if case .opened(let opened) = breaker.failed(.request, at: now, policy, using: &random) { length = opened }
        }
        #expect(breaker.state == .open)
        return now + length
    }

    @Test("It opens with the last of so many failures in a row", arguments: [1, 3, 5, 255] as [UInt64])
    func opening(failures: UInt64) {
        var random = SeededGenerator(seed: failures)
        let policy = Self.policy(failures: failures)
        let breaker = CircuitBreaker()
        for round in 0..<2 {
            for _ in 0..<(failures - 1) {
                let transition = breaker.failed(.request, at: 7, policy, using: &random)
                #expect(transition == nil)
            }
            let state = breaker.state
            #expect(state == .closed)
            // Not in a row: the first round's do not count.
            if round == 0 { breaker.succeeded(.request, at: 7, policy) }
        }
        guard case .opened(let length) = breaker.failed(.request, at: 7, policy, using: &random) else {
            Issue.record("it did not open")
            return
        }
        #expect((policy.openBase / 2...policy.openBase).contains(length))
        let permit = breaker.admit(at: 7, policy)
        #expect(permit == .refused)
    }

    @Test(
        "Half-open it lets so many probes through, and closes when all have succeeded",
        arguments: [1, 2, 5] as [UInt64]
    )
    func probes(count: UInt64) {
        var random = SeededGenerator(seed: count)
        let policy = Self.policy(probes: count)
        let breaker = CircuitBreaker()
        let until = Self.open(breaker, at: 0, policy, &random)
        let early = breaker.admit(at: until - 1, policy)
        #expect(early == .refused)
        // Instants are kept in milliseconds, rounded up.
        let now = until + 1_000_000
        for _ in 0..<count {
            let isAdmitting = breaker.isAdmitting(at: now, policy)
            #expect(isAdmitting)
            let permit = breaker.admit(at: now, policy)
            #expect(permit == .probe)
        }
        let another = breaker.admit(at: now, policy)
        #expect(another == .refused)
        let isAdmitting = breaker.isAdmitting(at: now, policy)
        #expect(!isAdmitting)
        for number in 1...count {
            let transition = breaker.succeeded(.probe, at: now, policy)
            #expect(transition == (number == count ? .closed : nil))
        }
        let permit = breaker.admit(at: now, policy)
        #expect(permit == .request)
    }

    @Test("A probe that fails opens it for about twice as long, to a most")
    func growth() {
        var random = SeededGenerator(seed: 1)
        let policy = Self.policy()
        let breaker = CircuitBreaker()
        var until = Self.open(breaker, at: 0, policy, &random)
        for round in 1...80 {
            let now = until + 1_000_000
            let permit = breaker.admit(at: now, policy)
            #expect(permit == .probe)
            guard case .opened(let length) = breaker.failed(.probe, at: now, policy, using: &random) else {
                Issue.record("it did not open")
                return
            }
            let whole = min(policy.openMax, policy.openBase << UInt64(min(round, 10)))
            #expect((whole / 2...whole).contains(length), "round \(round)")
            until = now + length
        }
    }

    @Test("One that flaps opens for longer each time; after a quiet time it begins again")
    func quiet() {
        var random = SeededGenerator(seed: 2)
        let policy = Self.policy()
        let breaker = CircuitBreaker()
        var now: Nanoseconds = 0
        for round in 0..<4 {
            let until = Self.open(breaker, at: now, policy, &random)
            let whole = policy.openBase << UInt64(round)
            #expect((whole / 2...whole).contains(until - now), "round \(round)")
            now = until + Self.second
            _ = breaker.admit(at: now, policy)
            breaker.succeeded(.probe, at: now, policy)
        }
        now += policy.quietTime + Self.second
        let until = Self.open(breaker, at: now, policy, &random)
        #expect(until - now <= policy.openBase)
    }

    @Test("What was sent before it opened neither closes nor opens it again")
    func late() {
        var random = SeededGenerator(seed: 3)
        let policy = Self.policy()
        let breaker = CircuitBreaker()
        let now = Self.open(breaker, at: 0, policy, &random) + 1_000_000
        let whileOpen = breaker.failed(.request, at: 1, policy, using: &random)
        #expect(whileOpen == nil)
        breaker.succeeded(.request, at: 1, policy)
        let open = breaker.state
        #expect(open == .open)
        _ = breaker.admit(at: now, policy)
        let whileHalfOpen = breaker.failed(.request, at: now, policy, using: &random)
        #expect(whileHalfOpen == nil)
        breaker.succeeded(.request, at: now, policy)
        let halfOpen = breaker.state
        #expect(halfOpen == .halfOpen)
    }

    @Test("A probe that is abandoned makes room for another; one that is lost does so after its time")
    func lost() {
        var random = SeededGenerator(seed: 4)
        let policy = Self.policy()
        let breaker = CircuitBreaker()
        let now = Self.open(breaker, at: 0, policy, &random) + 1_000_000
        _ = breaker.admit(at: now, policy)
        breaker.abandoned(.request)
        let refused = breaker.admit(at: now, policy)
        #expect(refused == .refused)
        breaker.abandoned(.probe)
        let again = breaker.admit(at: now, policy)
        #expect(again == .probe)
        let before = breaker.admit(at: now + policy.probeTime - 1_000_000, policy)
        #expect(before == .refused)
        let after = breaker.admit(at: now + policy.probeTime + 1_000_000, policy)
        #expect(after == .probe)
    }

    /// What the breaker does, with a field for each thing.
    private struct Model {
        var state = CircuitState.closed
        var failures: UInt64 = 0
        var probesOut: UInt64 = 0
        var until: Nanoseconds = 0

        mutating func admit(_ now: Nanoseconds, _ policy: CircuitPolicy) -> CircuitPermit {
            if state == .closed { return .request }
            if now < until {
                guard state == .halfOpen, probesOut < policy.probes else { return .refused }
                probesOut += 1
                return .probe
            }
            (state, probesOut, until) = (.halfOpen, 1, now + policy.probeTime)
            return .probe
        }
    }

    @Test("It does what a model with a field for each thing does", arguments: 1...20 as ClosedRange<UInt64>)
    func model(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let policy = Self.policy(failures: 3, probes: 1)
        let breaker = CircuitBreaker()
        var model = Model()
        var now: Nanoseconds = 0
        for step in 0..<2000 {
            // Whole milliseconds, as the breaker keeps them.
            now += UInt64(random.below(300)) * 1_000_000
            let permit = breaker.admit(at: now, policy)
            #expect(permit == model.admit(now, policy), "seed \(seed), step \(step)")
            guard permit != .refused else { continue }
            if random.oneIn(2) {
                let transition = breaker.failed(permit, at: now, policy, using: &random)
                model.failures += 1
                let opens = permit == .probe || model.failures == policy.failures
                #expect((transition != nil) == opens)
                if case .opened(let length) = transition {
                    model = Model()
                    model.state = .open
                    model.until = (now + length + 999_999) / 1_000_000 * 1_000_000
                }
            } else {
                let transition = breaker.succeeded(permit, at: now, policy)
                #expect(transition == (permit == .probe ? .closed : nil))
                model = Model()
            }
        }
    }

    private final class Shared: Sendable {
        let breaker = CircuitBreaker()
        let probes = Atomic<Int>(0)
        let openings = Atomic<Int>(0)
    }

    @Test("Of many threads that ask at once, one opens it and as many as the policy says are let through")
    func threads() {
        let policy = Self.policy(failures: 5, probes: 2)
        for round in 0..<50 {
            let shared = Shared()
            inThreads(4) { thread in
                var random = SeededGenerator(seed: UInt64(round * 4 + thread))
                for _ in 0..<20 {
                    let transition = shared.breaker.failed(.request, at: 0, policy, using: &random)
                    if transition != nil { shared.openings.add(1, ordering: .relaxed) }
                }
                for _ in 0..<20 where shared.breaker.admit(at: 2 * Self.second, policy) == .probe {
                    shared.probes.add(1, ordering: .relaxed)
                }
            }
            #expect(shared.openings.load(ordering: .relaxed) == 1)
            #expect(shared.probes.load(ordering: .relaxed) == 2)
        }
    }
}
