// SPDX-License-Identifier: Apache-2.0
// What is kept of what a source said.

import Testing

@testable import WeirHost

@Suite struct BudgetSourceTests {
    @Test(
        "what a file said is shown on one line, without control characters",
        arguments: [
            ("", ""),
            ("\n", ""),
            ("max\n", "max"),
            ("150000 100000\n", "150000 100000"),
            (" \t a \r\n\n b\u{0B}c ", "a b c"),
            ("a\u{00}b\u{1B}[31m\u{7F}", "a\u{FFFD}b\u{FFFD}[31m\u{FFFD}"),
            // Blanks and controls that are not ASCII.
            ("a\u{00A0}\u{2028}b\u{0085}c\u{0090}d", "a b c\u{FFFD}d"),
            ("größer 😀\n", "größer 😀"),
        ]
    ) func oneLine(text: String, shown: String) {
        #expect(BudgetSource("file", .information, text: text, .nothing).text == shown)
    }

    @Test("of a longer text the first 80 characters are shown, and never a blank behind them")
    func longTexts() {
        let most = BudgetSource.textLengthMax
        let word = String(repeating: "x", count: most)
        for (text, shown) in [
            (word, word),
            (word + "y", word),
            (word + " y", word),
            (String(word.dropLast()) + " y", String(word.dropLast())),
            (String(word.dropLast(2)) + " yz", word.dropLast(2) + " y"),
            (String(repeating: " ", count: most) + word, word),
        ] {
            #expect(BudgetSource("file", .information, text: text, .nothing).text == shown)
        }
    }
}
