// SPDX-License-Identifier: Apache-2.0
// Keeps requests from an endpoint that cannot be connected to. One for each endpoint, shared by all loops.

import Synchronization
package import WeirEventLoop

/// When a breaker opens, for how long, and what closes it.
package struct CircuitPolicy: Equatable, Sendable {
    /// Failures in a row that open it, 1 to 255.
    package var failures: UInt64 = 5
    /// Requests let through to see whether it is well, all of which have to succeed, 1 to 255.
    package var probes: UInt64 = 1
    /// A probe that tells nothing for so long is lost, and another is let through.
    package var probeTime: Nanoseconds = 10_000_000_000
    /// It first opens for so long, then twice as long, and so on.
    package var openBase: Nanoseconds = 1_000_000_000
    package var openMax: Nanoseconds = 5_000_000_000
    /// Closed for so long, it begins with ``openBase`` again.
    package var quietTime: Nanoseconds = 60_000_000_000

    package init() {}

    /// A random part of the time, from half to all, so that replicas that lost an endpoint together do not all probe it
    /// at the same instant.
    func openTime(after openings: UInt64, using random: inout some RandomNumberGenerator) -> Nanoseconds {
        // 2⁶³ at most; the multiplication may overflow where the base is long.
        let (length, overflow) = openBase.multipliedReportingOverflow(by: 1 << openings)
        let whole = overflow ? openMax : min(length, openMax)
        return Nanoseconds.random(in: whole / 2...whole, using: &random)
    }
}

/// Whether a request may go to the endpoint, and as what. Whoever is let through tells the breaker how it went, once.
package enum CircuitPermit: Equatable, Sendable {
    case refused
    case request
    case probe
}

/// A change for the log and the metrics.
package enum CircuitTransition: Equatable, Sendable {
    case opened(for: Nanoseconds)
    case closed
}

/// Closed, open, half-open.
///
///              failures in a row                  time is over: probes
///     closed ────────────────────> open ───────────────────────────────> half-open
///       ^                           ^                probe fails           │  │
///       │                           └──────────────────────────────────────┘  │
///       └──────────────────────── all probes succeed ─────────────────────────┘
///
/// A failure is one of the connection: refused, unreachable, not made in time, broken off before the response's head.
/// Any head is a success, whatever its status: what an endpoint answers is ``OutlierEjection``'s, and so is its silence
/// on a connection that stands. The breaker looks at one endpoint alone and opens within a few requests, even the last
/// endpoint's: a request that fails at once is better than one that waits for a connection that will not come. It never
/// counts an unused connection that was closed just as it was taken.
package struct CircuitBreaker: ~Copyable {
    // Relaxed throughout: the word is the whole state and publishes nothing else; compare-and-swap orders its changes.
    private let word = Atomic<UInt64>(0)

    package init() {}

    package var state: CircuitState { CircuitWord(bits: word.load(ordering: .relaxed)).state }

    /// Whether ``admit(at:_:)`` would let a request through; takes no probe. For choosing among endpoints.
    package func isAdmitting(at now: Nanoseconds, _ policy: CircuitPolicy) -> Bool {
        let present = CircuitWord(bits: word.load(ordering: .relaxed))
        return present.isClosed || present.probing(at: now, policy) != nil
    }

    /// Asks for leave to send a request. Any thread; while closed, one load.
    package func admit(at now: Nanoseconds, _ policy: CircuitPolicy) -> CircuitPermit {
        let present = CircuitWord(bits: word.load(ordering: .relaxed))
        return present.isClosed ? .request : probe(from: present, at: now, policy)
    }

    @inline(never)
    private func probe(from word: CircuitWord, at now: Nanoseconds, _ policy: CircuitPolicy) -> CircuitPermit {
        var present = word
        while !present.isClosed {
            guard let next = present.probing(at: now, policy) else { return .refused }
            if swap(&present, for: next) { return .probe }
        }
        return .request
    }

    /// A request that was let through has had a response's head. Any thread; as a rule one load.
    @discardableResult
    package func succeeded(
        _ permit: CircuitPermit,
        at now: Nanoseconds,
        _ policy: CircuitPolicy
    ) -> CircuitTransition? {
        var present = CircuitWord(bits: word.load(ordering: .relaxed))
        while true {
            let next = present.succeeded(asProbe: permit == .probe, at: now, policy)
            if next == present { return nil }
            let before = present.state
            if swap(&present, for: next) { return before != .closed && next.state == .closed ? .closed : nil }
        }
    }

    /// A request that was let through failed with its connection. Any thread.
    ///
    /// One that is no probe and ends after the breaker opened changes nothing: it tells of the time before.
    @discardableResult
    package func failed(
        _ permit: CircuitPermit,
        at now: Nanoseconds,
        _ policy: CircuitPolicy,
        using random: inout some RandomNumberGenerator
    ) -> CircuitTransition? {
        var present = CircuitWord(bits: word.load(ordering: .relaxed))
        while true {
            var openTime: Nanoseconds = 0
            let next = present.failed(asProbe: permit == .probe, at: now, policy) { openings in
                openTime = policy.openTime(after: openings, using: &random)
                return openTime
            }
            if next == present { return nil }
            if swap(&present, for: next) { return next.state == .open ? .opened(for: openTime) : nil }
        }
    }

    /// A request that was let through ended in a way that says nothing: the client left, say. Another probe may go.
    package func abandoned(_ permit: CircuitPermit) {
        guard permit == .probe else { return }
        var present = CircuitWord(bits: word.load(ordering: .relaxed))
        while true {
            let next = present.abandonedProbe()
            if next == present || swap(&present, for: next) { return }
        }
    }

    private func swap(_ present: inout CircuitWord, for next: CircuitWord) -> Bool {
        let (exchanged, found) = word.weakCompareExchange(
            expected: present.bits,
            desired: next.bits,
            ordering: .relaxed
        )
        if !exchanged { present = CircuitWord(bits: found) }
        return exchanged
    }
}
