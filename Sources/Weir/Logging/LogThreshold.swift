// SPDX-License-Identifier: Apache-2.0
// The least level that an engine logs, which a reload may change. Any thread.

import Logging
import Synchronization

/// Shared by all copies of an engine's logger.
final class LogThreshold: Sendable {
    /// The level's place in `Logger.Level.allCases`. Relaxed: it publishes nothing.
    private let place: Atomic<Int>

    init(_ level: Logger.Level) {
        place = Atomic(Self.place(of: level))
    }

    var level: Logger.Level {
        get { Logger.Level.allCases[place.load(ordering: .relaxed)] }
        set { place.store(Self.place(of: newValue), ordering: .relaxed) }
    }

    private static func place(of level: Logger.Level) -> Int {
        Logger.Level.allCases.firstIndex(of: level) ?? 0
    }
}
