// SPDX-License-Identifier: Apache-2.0
// The state of an admission pool in one 64-bit word, and every step that it can take, as pure functions. The pool
// (AdmissionPool.swift) swaps words; the proof (AdmissionInterleavingTests) goes through all their orders.

/// How many run, how many wait and how many may run: 21 bits each, so that one compare-and-swap decides on all three.
package struct AdmissionWord: Hashable, Sendable {
    /// The most that may run, and the most that may wait: about two million.
    package static let countMax = 1 << fieldBits - 1

    private static let fieldBits: UInt64 = 21
    private static let fieldMask: UInt64 = 1 << fieldBits - 1
    private static let oneExecuting: UInt64 = 1
    private static let oneQueued: UInt64 = 1 << fieldBits
    private static let limitShift = 2 * fieldBits

    package let bits: UInt64

    package init(bits: UInt64) { self.bits = bits }

    package init(executing: Int, queued: Int, limit: Int) {
        bits = UInt64(executing) | UInt64(queued) << Self.fieldBits | UInt64(limit) << Self.limitShift
    }

    package var executing: Int { Int(bits & Self.fieldMask) }
    package var queued: Int { Int(bits >> Self.fieldBits & Self.fieldMask) }
    package var limit: Int { Int(bits >> Self.limitShift) }

    // MARK: Steps that any thread may take

    /// One more runs; nil if none may, or if somebody waits, who would be overtaken.
    package var admitting: AdmissionWord? {
        executing < limit && queued == 0 ? AdmissionWord(bits: bits &+ Self.oneExecuting) : nil
    }

    /// One fewer runs; nil if somebody waits, who gets the slot.
    package var leaving: AdmissionWord? {
        queued == 0 ? released : nil
    }

    // MARK: Steps that only the mutex's holder may take

    /// One more waits.
    package var queueing: AdmissionWord { AdmissionWord(bits: bits &+ Self.oneQueued) }

    /// One fewer runs, whoever waits.
    package var released: AdmissionWord {
        precondition(executing > 0, "a slot is given back that nobody holds")
        return AdmissionWord(bits: bits &- Self.oneExecuting)
    }

    /// So many wait now.
    package func waiting(_ count: Int) -> AdmissionWord {
        AdmissionWord(executing: executing, queued: count, limit: limit)
    }

    /// So many were given a slot of those that waited.
    package func granting(_ count: Int) -> AdmissionWord {
        AdmissionWord(executing: executing + count, queued: queued, limit: limit)
    }

    package func limited(to limit: Int) -> AdmissionWord {
        AdmissionWord(executing: executing, queued: queued, limit: limit)
    }
}
