// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirUpstream

@Suite("ResponseTimes") struct ResponseTimesTests {
    private static let millisecond: UInt64 = 1_000_000

    /// Milliseconds in the order in which they were noted, and the median then.
    static let series: [([UInt64], UInt64)] = [
        ([], 0),
        ([9, 9, 9, 9], 0),
        ([9, 9, 9, 9, 9], 9),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9], 5),
        ([9, 1, 8, 2, 7, 3, 6, 4, 5], 5),
        ([1, 1, 1, 1, 1, 5000, 5000, 5000, 5000], 1),
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 70, 70, 70, 70], 1),
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 70, 70, 70, 70, 70], 70),
        ([70, 70, 70, 70, 70, 70, 70, 70, 70, 1, 1, 1, 1, 1], 1),
    ]

    @Test("The median is that of the last nine, and unknown before there are five", arguments: series)
    func median(times: [UInt64], expected: UInt64) {
        let kept = ResponseTimes()
        for time in times { kept.note(time * Self.millisecond) }
        let median = kept.median
        #expect(median == expected * Self.millisecond)
    }

    @Test("A time beyond 32 bits of microseconds counts as the longest")
    func longTimes() {
        let kept = ResponseTimes()
        for _ in 0..<9 { kept.note(.max) }
        let median = kept.median
        #expect(median == UInt64(UInt32.max) * 1000)
    }

    @Test("A call that was given up counts only where it has lasted longer than the median")
    func unanswered() {
        let kept = ResponseTimes()
        for _ in 0..<9 { kept.note(100 * Self.millisecond) }
        for _ in 0..<9 { kept.noteUnanswered(50 * Self.millisecond) }
        let before = kept.median
        #expect(before == 100 * Self.millisecond)
        for _ in 0..<5 { kept.noteUnanswered(200 * Self.millisecond) }
        let after = kept.median
        #expect(after == 200 * Self.millisecond)
    }

    @Test("Waits that were given up at the same deadline count each, until answers have taken as long")
    func givenUp() {
        let kept = ResponseTimes()
        for _ in 0..<9 { kept.note(100 * Self.millisecond) }
        let counted = (0..<30).filter { _ in kept.noteUnanswered(200 * Self.millisecond) }
        #expect(counted.count == 30)
        // It is known as slow all the same.
        let slow = kept.median
        #expect(slow == 200 * Self.millisecond)
        let one = kept.answeredMedian
        #expect(one == 0, "no answer among the last nine")
        for _ in 0..<9 { kept.note(300 * Self.millisecond) }
        let late = kept.noteUnanswered(200 * Self.millisecond)
        #expect(!late, "answers take longer than that")
        let again = kept.noteUnanswered(400 * Self.millisecond)
        #expect(again)
    }

    private func slow() -> ResponseTimes {
        let kept = ResponseTimes()
        for _ in 0..<9 { kept.note(100 * Self.millisecond) }
        return kept
    }

    @Test("A call that has as long as the median is made")
    func inTime() {
        let kept = slow()
        let made = (1...100).filter { _ in kept.admits(100 * Self.millisecond, at: 0) }
        #expect(made.count == 100)
    }

    @Test("Of calls that have less, one in 20 is made")
    func oneInTwenty() {
        let kept = slow()
        let made = (1...1000).filter { _ in kept.admits(99 * Self.millisecond, at: 0) }
        #expect(made == Array(stride(from: 20, through: 1000, by: 20)))
    }

    @Test("A call is made too where none was for a second")
    func onePerSecond() {
        let kept = slow()
        let second = ResponseTimes.probeNanoseconds
        // Ten calls a second: of the tenth one each is made, and each 20th is among them.
        let made = (0..<40).filter { kept.admits(1, at: 10 * second + UInt64($0) * second / 10) }
        #expect(made == [0, 10, 19, 29, 39])
    }

    @Test("While nothing is known every call is made")
    func unknown() {
        let kept = ResponseTimes()
        let isMade = kept.admits(0, at: 0)
        #expect(isMade)
    }
}
