// SPDX-License-Identifier: Apache-2.0
// What an endpoint's refusals leave of its weight. Shared by all loops.

import Synchronization
package import WeirEventLoop

/// The share of its weight that an endpoint gets, which falls while it refuses requests and comes back by itself.
///
/// An endpoint that answers 429 is well, and full. It must not be ejected, as the rest would then get what it could
/// carry; and it must not be chosen for being quick, as a refusal is. So its weight falls by half with each refusal, once
/// in ``decreaseInterval`` (refusals come in crowds, from requests that were sent before the first one was known), and
/// grows evenly: additive increase and multiplicative decrease, which find the share that it can carry.
package struct BackPressure: ~Copyable {
    /// From nothing to the whole weight.
    package static let recovery: Nanoseconds = 20_000_000_000
    package static let decreaseInterval: Nanoseconds = 100_000_000
    /// The share that always remains, or nobody would learn that it takes requests again.
    package static let shareMin = 0.05
    /// The longest that is believed of a `Retry-After`.
    package static let holdMax: Nanoseconds = 60_000_000_000

    // Relaxed: the word is the whole state and publishes nothing else. A share that is seen late moves one choice.
    private let word = Atomic<UInt64>(0)

    package init() {}

    /// The share of its weight that the endpoint gets now, from ``shareMin`` to 1. Any thread.
    package func share(at now: Nanoseconds) -> Double {
        let bits = word.load(ordering: .relaxed)
        return bits == 0 ? 1 : BackPressureWord(bits: bits).share(at: now)
    }

    /// The endpoint has refused a request; until `retryAfter` has passed the share stays where it is. Any thread.
    package func refused(retryAfter: Nanoseconds?, at now: Nanoseconds) {
        var bits = word.load(ordering: .relaxed)
        while true {
            let next = BackPressureWord(bits: bits).refused(retryAfter: retryAfter ?? 0, at: now).bits
            let (exchanged, present) = word.weakCompareExchange(expected: bits, desired: next, ordering: .relaxed)
            if exchanged { return }
            bits = present
        }
    }
}

/// The state in one word, and its steps as pure functions.
///
/// From the highest bit: the instant of the last decrease in milliseconds (42 bits, 139 years), for how long the share
/// then stays in tenths of a second (10), and what is missing from the whole in 4096ths (12). Nothing missing is 0.
struct BackPressureWord: Equatable {
    private static let holdShift: UInt64 = 12
    private static let instantShift: UInt64 = 22
    private static let missingMask: UInt64 = 1 << holdShift - 1
    private static let holdMask: UInt64 = 1 << (instantShift - holdShift) - 1
    private static let millisecond: Nanoseconds = 1_000_000
    private static let holdUnit: UInt64 = 100
    private static let whole: UInt64 = 4096
    private static let missingMax = UInt64(Double(whole) * (1 - BackPressure.shareMin))

    let bits: UInt64

    private var missing: UInt64 { bits & Self.missingMask }
    private var hold: UInt64 { (bits >> Self.holdShift & Self.holdMask) * Self.holdUnit }
    private var instant: UInt64 { bits >> Self.instantShift }

    func share(at now: Nanoseconds) -> Double {
        1 - Double(missing(at: now / Self.millisecond)) / Double(Self.whole)
    }

    /// A thread's clock may be behind the one that wrote the word: then nothing has come back.
    private func missing(at now: UInt64) -> UInt64 {
        let recoversFrom = instant + hold
        guard now > recoversFrom else { return missing }
        let restored = (now - recoversFrom) * Self.whole / (BackPressure.recovery / Self.millisecond)
        return missing - min(missing, restored)
    }

    func refused(retryAfter: Nanoseconds, at time: Nanoseconds) -> BackPressureWord {
        let now = max(time / Self.millisecond, instant)
        let asked = min(retryAfter, BackPressure.holdMax) / Self.millisecond
        if bits != 0, now - instant < BackPressure.decreaseInterval / Self.millisecond {
            // Of the same crowd: it may ask for more time only.
            return Self(missing: missing, hold: max(hold, now - instant + asked), instant: instant)
        }
        let left = Self.whole - missing(at: now)
        let held = instant + hold > now ? instant + hold - now : 0
        return Self(missing: min(Self.whole - left / 2, Self.missingMax), hold: max(asked, held), instant: now)
    }

    init(bits: UInt64) { self.bits = bits }

    private init(missing: UInt64, hold: UInt64, instant: UInt64) {
        let units = min((hold + Self.holdUnit - 1) / Self.holdUnit, Self.holdMask)
        bits = instant << Self.instantShift | units << Self.holdShift | missing
    }
}
