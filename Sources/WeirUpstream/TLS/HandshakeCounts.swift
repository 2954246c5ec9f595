// SPDX-License-Identifier: Apache-2.0
// How handshakes with an upstream's endpoints went. Shared by all loops.

import Synchronization
package import WeirTLS

/// The counts of one upstream.
package final class HandshakeCounts: Sendable {
    // Relaxed: each is exact on its own.
    private let done = InlineArray<2, Atomic<UInt64>> { _ in Atomic(0) }
    private let failures = InlineArray<17, Atomic<UInt64>> { _ in Atomic(0) }

    package init() {}

    /// Handshakes that were done.
    package func count(resumed isResumed: Bool) -> UInt64 { done[isResumed ? 1 : 0].load(ordering: .relaxed) }

    /// Those that failed.
    package subscript(fault: HandshakeFault) -> UInt64 { failures[fault.rawValue].load(ordering: .relaxed) }

    func noteDone(resumed isResumed: Bool) {
        done[isResumed ? 1 : 0].wrappingAdd(1, ordering: .relaxed)
    }

    func note(_ fault: HandshakeFault) {
        failures[fault.rawValue].wrappingAdd(1, ordering: .relaxed)
    }
}
