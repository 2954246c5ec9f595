// SPDX-License-Identifier: Apache-2.0
// How many requests of an upstream may be sent again. Shared by all loops; 128 bytes, whatever the traffic.

import Synchronization
package import WeirEventLoop

/// Bounds retries by a share of the requests within the last ten seconds.
///
/// A number of attempts for each request bounds nothing where all fail: three attempts are three times the load, just
/// when the endpoints can bear none. A share of the requests is at most that much more.
package struct RetryBudget: ~Copyable {
    package struct Policy: Equatable, Sendable {
        /// Retries for each hundred requests.
        package var percent: UInt64 = 20
        /// And so many in each second at least: of few requests, a share is nothing.
        package var perSecondMin: UInt64 = 3

        package init() {}
    }

    /// The window: this second and the nine before.
    package static let windowSeconds: UInt64 = 10
    /// More than the window has, so that a thread whose clock is behind still finds its second.
    private static let slotCount: UInt64 = 16
    /// No two threads' clocks are so many seconds apart.
    private static let clocksApartMax: UInt64 = 64
    private static let second: Nanoseconds = 1_000_000_000

    // A slot is, from its highest bit, the number of its second (20 bits), its retries (20) and its requests (24: 16
    // million a second). The second's number comes again after twelve days.
    private static let requestsMask: UInt64 = 1 << 24 - 1
    private static let oneRetry: UInt64 = 1 << 24
    private static let retriesMask: UInt64 = 1 << 20 - 1
    private static let numberShift: UInt64 = 44
    private static let numberMask: UInt64 = 1 << 20 - 1

    // Requests are counted relaxed: one that is seen late moves the bound by a fifth. Retries are sequentially
    // consistent, here and in the sum: of two that are taken at once in different seconds, one sees the other.
    // On lines of their own: each request writes one.
    struct Slots: ~Copyable, Sendable {
        let words = InlineArray<16, Atomic<UInt64>> { _ in Atomic(0) }
    }

    private let lines = CacheLine(Slots())

    package init() {}

    /// Counts a request; its retries are not counted here. Any thread.
    package func noteRequest(at now: Nanoseconds) {
        let second = now / Self.second
        guard opens(second) else { return }
        lines.address.pointee.words[Self.index(second)].wrappingAdd(1, ordering: .relaxed)
    }

    /// Takes leave for one retry; false where there is none. Any thread.
    package func takeRetry(at now: Nanoseconds, _ policy: Policy) -> Bool {
        let second = now / Self.second
        guard opens(second) else { return false }
        // Counted first, so that of several at once none is overlooked; in doubt all are refused.
        lines.address.pointee.words[Self.index(second)].wrappingAdd(Self.oneRetry, ordering: .sequentiallyConsistent)
        let (requests, retries) = sums(at: now)
        if retries <= max(requests * policy.percent / 100, policy.perSecondMin * Self.windowSeconds) { return true }
        giveBack(second)
        return false
    }

    /// Makes a second's slot its own; false where a later second has it, which a clock that is far behind finds.
    ///
    /// A thread that is held up for sixteen seconds between this and its addition counts in a later second.
    private func opens(_ second: UInt64) -> Bool {
        let number = second & Self.numberMask
        let index = Self.index(second)
        var word = lines.address.pointee.words[index].load(ordering: .relaxed)
        while word >> Self.numberShift != number {
            // The numbers go round: one that is little ahead is later, any other is from long ago.
            let ahead = (word >> Self.numberShift &- number) & Self.numberMask
            guard ahead > Self.clocksApartMax || word == 0 else { return false }
            // Relaxed: pairs with nothing; the word holds all there is of its second.
            let (exchanged, present) = lines.address.pointee.words[index].weakCompareExchange(
                expected: word,
                desired: number << Self.numberShift,
                ordering: .relaxed
            )
            if exchanged { return true }
            word = present
        }
        return true
    }

    private func giveBack(_ second: UInt64) {
        let index = Self.index(second)
        var word = lines.address.pointee.words[index].load(ordering: .relaxed)
        while word >> Self.numberShift == second & Self.numberMask, word / Self.oneRetry & Self.retriesMask > 0 {
            let (exchanged, present) = lines.address.pointee.words[index].weakCompareExchange(
                expected: word,
                desired: word - Self.oneRetry,
                ordering: .sequentiallyConsistent
            )
            if exchanged { return }
            word = present
        }
    }

    /// What was counted within the window.
    package func sums(at now: Nanoseconds) -> (requests: UInt64, retries: UInt64) {
        var sums: (requests: UInt64, retries: UInt64) = (0, 0)
        let present = now / Self.second
        for age in 0..<min(Self.windowSeconds, present + 1) {
            let word = lines.address.pointee.words[Self.index(present - age)].load(ordering: .sequentiallyConsistent)
            guard word >> Self.numberShift == (present - age) & Self.numberMask else { continue }
            sums.requests += word & Self.requestsMask
            sums.retries += word / Self.oneRetry & Self.retriesMask
        }
        return sums
    }

    private static func index(_ second: UInt64) -> Int { Int(truncatingIfNeeded: second & (slotCount - 1)) }
}
