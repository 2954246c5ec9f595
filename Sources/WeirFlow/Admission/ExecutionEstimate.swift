// SPDX-License-Identifier: Apache-2.0
// How long a request of a pool executes, on the average. Any thread records and reads, without a lock.

import Synchronization

/// A moving average over requests: each moves it by 1/64 of its distance, so about the last 64 count.
///
/// It is the mean and not the median, because Little's law is about the mean. It is robust against a few long ones:
/// one request at most doubles it, so a tail that is rarer than one in 64 counts in part only. A true slowdown of
/// thousandfold is followed within ten requests.
struct ExecutionEstimate: ~Copyable {
    /// Longer executions count as this long; keeps products with counts within 64 bits: 2⁴² × 2²¹.
    static let executionMax: Nanoseconds = 1 << 42 - 1

    private static let weight: Nanoseconds = 64

    /// Relaxed: nothing is published by it. A load and a store: of two requests that end at once one may be lost,
    /// whichever its length, which moves an average over many by nothing. The word is written whole.
    private let average = Atomic<Nanoseconds>(0)

    /// 0 before anything was measured.
    var mean: Nanoseconds { average.load(ordering: .relaxed) }

    /// An execution was cut short: it would have taken longer. One that was no longer than most says nothing.
    func record(atLeast nanoseconds: Nanoseconds) {
        if nanoseconds > mean { record(nanoseconds) }
    }

    func record(_ nanoseconds: Nanoseconds) {
        let mean = mean
        guard mean > 0 else { return average.store(max(1, min(nanoseconds, Self.executionMax)), ordering: .relaxed) }
        // The ceiling is what doubles the mean; the floor keeps 0 for "not measured".
        let sample = max(1, min(nanoseconds, Self.executionMax, mean &* (Self.weight + 1)))
        let moved = sample > mean ? mean + (sample - mean) / Self.weight : mean - (mean - sample) / Self.weight
        average.store(moved, ordering: .relaxed)
    }
}
