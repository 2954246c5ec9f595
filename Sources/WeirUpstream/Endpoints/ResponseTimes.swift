// SPDX-License-Identifier: Apache-2.0
// How long an endpoint has taken to answer a route of late, and whether it can be expected to answer in time. Shared by
// all loops.

import Synchronization
package import WeirEventLoop

/// The median of an endpoint's last nine times from the whole request to the response's head.
///
/// A median of few: four of nine may be anything, and five are enough to learn that an endpoint is slow, or well again.
/// Estimators that move by a step at each sample need hundreds of calls for that, and while calls are held back only few
/// are made.
package struct ResponseTimes: ~Copyable, Sendable {
    /// Of the calls that are not expected to be answered in time, one in so many is made all the same, and one that comes
    /// so long after the last: else nobody would learn that the endpoint is well again.
    package static let probeInterval: UInt64 = 20
    package static let probeNanoseconds: Nanoseconds = 1_000_000_000

    private static let sampleCount = 9

    // All relaxed: a time that is seen late, or lost to another loop's, moves a decision by one call.
    /// In microseconds; 0 where there is none yet, so the median is 0 until more than half are there.
    private let samples = InlineArray<9, Atomic<UInt32>> { _ in Atomic(0) }
    private let sampleNumber = Atomic<UInt32>(0)
    private let heldBack = Atomic<UInt64>(0)
    /// When a call was last let through although it was not expected to be answered.
    private let probedAt = Atomic<UInt64>(0)
    /// Which of the samples are waits that were given up, a bit each. With it the times of a route fill a cache line
    /// (`RouteResponseTimes`).
    private let givenUp = Atomic<UInt64>(0)

    package init() {}

    /// 0 while too little is known.
    package var median: Nanoseconds {
        let sorted = (0..<Self.sampleCount).map { samples[$0].load(ordering: .relaxed) }.sorted()
        return Nanoseconds(sorted[Self.sampleCount / 2]) &* 1000
    }

    /// The median of those of the samples that are answers; 0 where none is.
    package var answeredMedian: Nanoseconds {
        let unanswered = givenUp.load(ordering: .relaxed)
        let answered = (0..<Self.sampleCount).filter { unanswered & (1 << UInt64($0)) == 0 }
            .map { samples[$0].load(ordering: .relaxed) }.filter { $0 > 0 }.sorted()
        return answered.isEmpty ? 0 : Nanoseconds(answered[answered.count / 2]) &* 1000
    }

    /// The endpoint has answered after so long.
    package func note(_ time: Nanoseconds) {
        let bit = keep(time)
        // As a rule there is none to clear.
        if givenUp.load(ordering: .relaxed) & bit != 0 { givenUp.bitwiseAnd(~bit, ordering: .relaxed) }
    }

    /// A call was given up after so long without an answer: it would have taken longer.
    package func noteGivenUp(_ time: Nanoseconds) {
        givenUp.bitwiseOr(keep(time), ordering: .relaxed)
    }

    /// The same, where the caller may have given up early: that says something only where answers took less. Waits that
    /// were given up are no yardstick for the next one: of an endpoint that stands still all last equally long.
    ///
    /// - Returns: whether it counts.
    @discardableResult
    package func noteUnanswered(_ time: Nanoseconds) -> Bool {
        guard time > answeredMedian else { return false }
        noteGivenUp(time)
        return true
    }

    /// - Returns: the bit of the sample's place.
    private func keep(_ time: Nanoseconds) -> UInt64 {
        let number = sampleNumber.wrappingAdd(1, ordering: .relaxed).oldValue
        let place = Int(number % UInt32(Self.sampleCount))
        samples[place].store(UInt32(clamping: max(1, time / 1000)), ordering: .relaxed)
        return 1 << UInt64(place)
    }

    /// Whether to make a call that has so long for its answer.
    package func admits(_ left: Nanoseconds, at now: Nanoseconds) -> Bool {
        if isMedian(atMost: left / 1000) { return true }
        let count = heldBack.wrappingAdd(1, ordering: .relaxed).newValue
        let last = probedAt.load(ordering: .relaxed)
        guard count % Self.probeInterval == 0 || now &- min(now, last) >= Self.probeNanoseconds else { return false }
        // Of several loops at the same instant one probes.
        return probedAt.compareExchange(expected: last, desired: now, ordering: .relaxed).exchanged
    }

    /// Whether more than half of the samples are; asked for each call, so it counts, which takes neither sorting nor
    /// a branch that depends on them.
    private func isMedian(atMost microseconds: UInt64) -> Bool {
        let bound = UInt32(clamping: microseconds)
        var count = 0
        for index in 0..<Self.sampleCount { count &+= samples[index].load(ordering: .relaxed) <= bound ? 1 : 0 }
        return count > Self.sampleCount / 2
    }
}
