// SPDX-License-Identifier: Apache-2.0
// How long pieces of work take on the average, and so how soon those that wait are done. A value.

/// A moving average: each piece moves it by an eighth of its distance, so about the last eight count.
package struct MeanTime: Sendable {
    private static let weight: Nanoseconds = 8
    /// Longer pieces count as this long, an hour: keeps products with counts within 64 bits.
    private static let timeMax: Nanoseconds = 3_600_000_000_000

    /// 0 before anything was measured.
    package private(set) var nanoseconds: Nanoseconds = 0

    package init() {}

    package mutating func note(_ time: Nanoseconds) {
        // The floor keeps 0 for "not measured".
        let time = max(1, min(time, Self.timeMax))
        if nanoseconds == 0 {
            nanoseconds = time
        } else if time > nanoseconds {
            nanoseconds += (time - nanoseconds) / Self.weight
        } else {
            nanoseconds -= (nanoseconds - time) / Self.weight
        }
    }

    /// Until so many that wait are done, where so many run at once; 0 before anything was measured.
    package func drainTime(of count: Int, running: Int) -> Nanoseconds {
        nanoseconds &* Nanoseconds(min(max(count, 0), 1 << 20)) / Nanoseconds(max(running, 1))
    }
}
