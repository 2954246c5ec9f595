// SPDX-License-Identifier: Apache-2.0
// When a check's status changes.

import Testing
import WeirTestSupport
import WeirUpstream

@Suite("The results of a check")
struct CheckCounterTests {
    /// `p`, `w`, `c` for passing, warning and critical, `-` for no change.
    private static func status(_ letter: Character) -> CheckStatus? {
        switch letter {
        case "p": .passing
        case "w": .warning
        case "c": .critical
        default: nil
        }
    }

    @Test(
        "are counted until they are enough in a row",
        arguments: [
            // Without thresholds each result counts at once.
            (0, nil, 0, "pcwcp", "pcwcp"),
            (1, nil, 1, "pcwcp", "pcwcp"),
            // Counts begin at their thresholds: the first result decides, whatever it is.
            (3, nil, 3, "p", "p"),
            (3, nil, 3, "c", "c"),
            // Then so many in a row are needed, and a success between two failures begins anew.
            (0, nil, 3, "pcccc", "p--cc"),
            (0, nil, 3, "pccpccc", "p--p--c"),
            (3, nil, 0, "cpppp", "c--pp"),
            (3, nil, 0, "cppcppp", "c--c--p"),
            // A warning is a success and keeps its own status.
            (2, nil, 2, "cww", "c-w"),
            (2, nil, 2, "cwp", "c-p"),
            (0, nil, 2, "pcwcc", "p-w-c"),
            // Failures warn before they are critical.
            (0, 1, 3, "pccc", "pwwc"),
            (0, 2, 4, "pcccc", "p-wwc"),
            // Without a threshold of its own, a warning has that of critical.
            (0, nil, 2, "pcc", "p-c"),
            // Zero in the same place warns at once.
            (0, 0, 2, "pcc", "pwc"),
        ] as [(Int, Int?, Int, String, String)]
    )
    func counting(_ success: Int, _ warning: Int?, _ critical: Int, _ results: String, _ expected: String) {
        var counter = CheckCounter(
            .init(
                successBeforePassing: success,
                failuresBeforeWarning: warning,
                failuresBeforeCritical: critical
            )
        )
        let statuses = results.map { counter.note(Self.status($0) ?? .passing) }
        #expect(statuses == expected.map { Self.status($0) })
    }

    @Test("never change a status sooner than their thresholds say", arguments: 1...5)
    func property(_ threshold: Int) {
        var random = SeededGenerator(seed: UInt64(threshold))
        var counter = CheckCounter(.init(successBeforePassing: threshold, failuresBeforeCritical: threshold))
        var run = 0
        var last: Bool?
        var isFirst = true
        for _ in 0..<2000 {
            let fails = random.oneIn(2)
            run = fails == last ? run + 1 : 1
            last = fails
            let status = counter.note(fails ? .critical : .passing)
            #expect((status != nil) == (run >= threshold || isFirst))
            isFirst = isFirst && status == nil
            if isFirst == false, status != nil { #expect(status == (fails ? .critical : .passing)) }
        }
    }
}
