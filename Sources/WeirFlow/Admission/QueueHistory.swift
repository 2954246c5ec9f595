// SPDX-License-Identifier: Apache-2.0
// What the queue's length has been: its integral over time and its peak. Pure; guarded by the pool's mutex.

/// Told of each change of the length, so the integral is exact, whatever lies between two scrapes.
struct QueueHistory {
    /// Nanoseconds × requests. 128 bits: 64 would overflow within hours if two million waited, and within seven
    /// months if a thousand did.
    private(set) var integral: UInt128 = 0
    private(set) var now: Nanoseconds
    private var length = 0
    private var peak: WindowedPeak

    var queuedPeak: Int { peak.highest }

    init(peakWindow: Nanoseconds, now: Nanoseconds) {
        self.now = now
        peak = WindowedPeak(window: peakWindow, now: now)
    }

    /// The length was what it was until `instant`, and is `length` from then on.
    ///
    /// Threads read the clock before they take the mutex, so an instant may lie a little before the last one. Then the
    /// change counts from the last one: time never steps back here, and the integral neither.
    mutating func record(length newLength: Int, at instant: Nanoseconds) {
        if instant > now {
            integral += UInt128(length) * UInt128(instant - now)
            now = instant
            peak.advance(to: now, standing: length)
        }
        length = newLength
        peak.record(newLength)
    }
}
