// SPDX-License-Identifier: Apache-2.0
// What became of the requests that were to be copied to an upstream. Shared by all loops.

import Synchronization

/// What became of a copy, or why there was none; the label of `weir_mirrored_total`.
package enum MirrorResult: Int, CaseIterable, Sendable {
    /// The head of its response came, whatever it says.
    case answered
    /// No connection could be made, or it ended before that head.
    case failed
    /// The head was not there within the original's deadline.
    case timeout
    /// None: as many as may be are on their way, or the upstream's connections are left to other requests.
    case busy
    /// None: the upstream has no endpoint that takes requests.
    case unavailable
    /// The mirror took its body too slowly, or the original was over before its body was.
    case cut
    /// None: the request has a body that is not to be copied, or asks to switch protocols.
    case notCopyable

    package var label: String {
        switch self {
        case .answered: "answered"
        case .failed: "failed"
        case .timeout: "timeout"
        case .busy: "busy"
        case .unavailable: "unavailable"
        case .cut: "cut"
        case .notCopyable: "not_copyable"
        }
    }
}

/// The counts of one upstream.
package struct MirrorCounts: ~Copyable {
    // Relaxed: each is exact on its own.
    private let counts = InlineArray<7, Atomic<UInt64>> { _ in Atomic(0) }
    private let used = Atomic<Bool>(false)

    init() {}

    /// Whether a route has copied requests to it, so that its counts are worth showing.
    package var isUsed: Bool { used.load(ordering: .relaxed) }

    package func setUsed() {
        used.store(true, ordering: .relaxed)
    }

    package subscript(result: MirrorResult) -> UInt64 { counts[result.rawValue].load(ordering: .relaxed) }

    package func note(_ result: MirrorResult) {
        counts[result.rawValue].wrappingAdd(1, ordering: .relaxed)
    }
}
