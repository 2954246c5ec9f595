// SPDX-License-Identifier: Apache-2.0
// What is known of an upstream besides its endpoints: where they come from, and what their checks came to. Written by the
// thread that looks after it, read by whoever asks.

import Synchronization

/// The state of an upstream's source, and the counts of its checks.
package final class UpstreamReport: Sendable {
    /// Where its endpoints are found.
    package struct Source: Sendable {
        /// The URL of the source.
        package let place: String
        package let counts: DiscoveryCounts
        /// Why it cannot be used now; nil while it can.
        package var problem: String?

        package init(place: String, counts: DiscoveryCounts) {
            self.place = place
            self.counts = counts
        }
    }

    private let present = Mutex<Source?>(nil)
    // Relaxed: each is exact on its own.
    private let checks = InlineArray<3, Atomic<UInt64>> { _ in Atomic(0) }

    /// What became of requests that were to be copied to it.
    package let mirrored = MirrorCounts()
    package let handshakes = HandshakeCounts()

    init() {}

    /// Nil where the endpoints were given.
    package var source: Source? { present.withLock { $0 } }

    package func setSource(_ source: Source?) {
        present.withLock { $0 = source }
    }

    package func noteSource(problem: String?) {
        present.withLock { $0?.problem = problem }
    }

    /// How many checks of its endpoints had this result.
    package subscript(result: CheckStatus) -> UInt64 { checks[Self.index(result)].load(ordering: .relaxed) }

    package func note(_ result: CheckStatus) {
        checks[Self.index(result)].wrappingAdd(1, ordering: .relaxed)
    }

    private static func index(_ result: CheckStatus) -> Int {
        switch result {
        case .passing: 0
        case .warning: 1
        case .critical: 2
        }
    }
}
