// SPDX-License-Identifier: Apache-2.0
// The state of a circuit breaker in one 64-bit word, and every step that it can take, as pure functions. The breaker
// (CircuitBreaker.swift) swaps words.

import WeirEventLoop

/// What the field calls them.
package enum CircuitState: UInt64, Equatable, Sendable {
    /// Requests go through.
    case closed
    /// None does.
    case open
    /// As many as the policy says go through, to see how they fare.
    case halfOpen
}

/// From the highest bit: an instant in milliseconds (40 bits, 34 years), how often it has opened without a quiet time
/// between (6), a second count (8), a first count (8), and the state (2).
///
/// | state    | instant                  | first count              | second count       |
/// |----------|--------------------------|--------------------------|--------------------|
/// | closed   | when it was closed       | failures in a row        | –                  |
/// | open     | until when               | –                        | –                  |
/// | halfOpen | when probes count as lost| probes let through       | probes succeeded   |
struct CircuitWord: Equatable, Sendable {
    private static let firstShift: UInt64 = 2
    private static let secondShift: UInt64 = 10
    private static let openingsShift: UInt64 = 18
    private static let instantShift: UInt64 = 24
    private static let stateMask: UInt64 = 3
    static let countMax: UInt64 = 255
    static let openingsMax: UInt64 = 63
    private static let millisecond: Nanoseconds = 1_000_000

    let bits: UInt64

    init(bits: UInt64) { self.bits = bits }

    private init(_ state: CircuitState, first: UInt64 = 0, second: UInt64 = 0, openings: UInt64, instant: Nanoseconds) {
        // Rounded up: a time that ends is over no earlier than it was said to be.
        let milliseconds = (instant + (Self.millisecond - 1)) / Self.millisecond
        bits =
            state.rawValue | first << Self.firstShift | second << Self.secondShift | openings << Self.openingsShift
            | milliseconds << Self.instantShift
    }

    /// Raw value 3 is never written.
    var state: CircuitState { CircuitState(rawValue: bits & Self.stateMask) ?? .closed }
    var isClosed: Bool { bits & Self.stateMask == CircuitState.closed.rawValue }
    var first: UInt64 { bits >> Self.firstShift & Self.countMax }
    var second: UInt64 { bits >> Self.secondShift & Self.countMax }
    var openings: UInt64 { bits >> Self.openingsShift & Self.openingsMax }
    var instant: Nanoseconds { (bits >> Self.instantShift) * Self.millisecond }

    // MARK: Steps

    /// A probe is let through; nil if none may be now.
    func probing(at now: Nanoseconds, _ policy: CircuitPolicy) -> CircuitWord? {
        switch state {
        case .closed: return nil
        case .halfOpen where now < instant:
            guard first < policy.probes else { return nil }
            return with(first: first + 1, second: second)
        case .halfOpen: break
        case .open: guard now >= instant else { return nil }
        }
        return CircuitWord(.halfOpen, first: 1, openings: openings, instant: now + policy.probeTime)
    }

    /// A request went well.
    func succeeded(asProbe isProbe: Bool, at now: Nanoseconds, _ policy: CircuitPolicy) -> CircuitWord {
        switch state {
        case .closed: return first == 0 ? self : with(first: 0, second: 0)
        case .open: return self
        case .halfOpen:
            guard isProbe else { return self }
            if second + 1 < policy.probes { return with(first: first, second: second + 1) }
            return CircuitWord(.closed, openings: openings, instant: now)
        }
    }

    /// A request failed; `openTime` says how long to open, by how often that came before.
    func failed(
        asProbe isProbe: Bool,
        at now: Nanoseconds,
        _ policy: CircuitPolicy,
        openTime: (UInt64) -> Nanoseconds
    ) -> CircuitWord {
        switch state {
        case .closed:
            guard first + 1 >= policy.failures else { return with(first: first + 1, second: 0) }
            let isQuiet = now >= instant + policy.quietTime
            return opening(after: isQuiet ? 0 : openings, now, openTime)
        case .open: return self
        case .halfOpen: return isProbe ? opening(after: openings, now, openTime) : self
        }
    }

    /// A probe ended without telling anything.
    func abandonedProbe() -> CircuitWord {
        guard state == .halfOpen, first > second else { return self }
        return with(first: first - 1, second: second)
    }

    private func opening(
        after before: UInt64,
        _ now: Nanoseconds,
        _ openTime: (UInt64) -> Nanoseconds
    ) -> CircuitWord {
        CircuitWord(.open, openings: min(before + 1, Self.openingsMax), instant: now + openTime(before))
    }

    private func with(first: UInt64, second: UInt64) -> CircuitWord {
        CircuitWord(state, first: first, second: second, openings: openings, instant: instant)
    }
}
