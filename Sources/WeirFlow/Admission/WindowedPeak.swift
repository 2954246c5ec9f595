// SPDX-License-Identifier: Apache-2.0
// The highest length within a window of time that moves on. Pure; guarded by the pool's mutex.

/// A ring of sub-windows, each with its own highest. A peak is seen for the whole window, and at most a twelfth longer.
struct WindowedPeak {
    private static let partCount = 13

    private let partNanoseconds: Nanoseconds
    private var parts: InlineArray<13, UInt32>
    private var current = 0
    private var currentEnd: Nanoseconds

    init(window: Nanoseconds, now: Nanoseconds) {
        partNanoseconds = max(1, window / Nanoseconds(Self.partCount - 1))
        parts = InlineArray(repeating: 0)
        currentEnd = now + partNanoseconds
    }

    /// Moves on to `now`, through parts in which the length stood still at `standing`.
    mutating func advance(to now: Nanoseconds, standing: Int) {
        guard now >= currentEnd else { return }
        let passed = (now - currentEnd) / partNanoseconds + 1
        currentEnd += passed * partNanoseconds
        for _ in 0..<min(passed, Nanoseconds(Self.partCount)) {
            current = (current + 1) % Self.partCount
            parts[current] = UInt32(standing)
        }
    }

    mutating func record(_ length: Int) { parts[current] = max(parts[current], UInt32(length)) }

    var highest: Int {
        var highest: UInt32 = 0
        for index in parts.indices { highest = max(highest, parts[index]) }
        return Int(highest)
    }
}
