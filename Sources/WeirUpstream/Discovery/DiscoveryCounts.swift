// SPDX-License-Identifier: Apache-2.0
// How often a source was read, and with what result. Written by a feed's loop, read by whoever asks.

import Synchronization

/// Which kind of source a provider reads: the label of its metrics, and the word for it in the log.
package enum DiscoveryKind: String, Sendable, CaseIterable {
    case file
    case dns
    case consul
    case kubernetes
}

/// What came of reading a source once.
package enum DiscoveryOutcome: String, Sendable, CaseIterable {
    /// Other endpoints than before.
    case changed
    /// The same as before.
    case unchanged
    /// No endpoint at all, which is not believed.
    case empty
    /// More endpoints than may be; those in front were taken.
    case cut
    /// No answer, or one that cannot be read.
    case failed

    var index: Int {
        switch self {
        case .changed: 0
        case .unchanged: 1
        case .empty: 2
        case .cut: 3
        case .failed: 4
        }
    }
}

/// The counters of one feed, which outlive it where somebody reads them.
package final class DiscoveryCounts: Sendable {
    package let upstream: String
    package let kind: DiscoveryKind
    // All relaxed: they publish nothing, each is exact on its own.
    private let updates = InlineArray<5, Atomic<UInt64>> { _ in Atomic(0) }
    private let endpoints = Atomic<Int>(0)

    init(upstream: String, kind: DiscoveryKind) {
        self.upstream = upstream
        self.kind = kind
    }

    package subscript(outcome: DiscoveryOutcome) -> UInt64 {
        updates[outcome.index].load(ordering: .relaxed)
    }

    /// How many endpoints the last good list has.
    package var endpointCount: Int { endpoints.load(ordering: .relaxed) }

    func note(_ outcome: DiscoveryOutcome) {
        updates[outcome.index].wrappingAdd(1, ordering: .relaxed)
    }

    func setEndpointCount(_ count: Int) {
        endpoints.store(count, ordering: .relaxed)
    }
}
