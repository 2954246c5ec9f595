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

    @Test("of a longer text the first 80 scalars are shown, and never a blank behind them")
    func longTexts() {
        let most = BudgetSource.textLengthMax
        let word = String(repeating: "x", count: most)
        let shorter = String(word.dropLast())
        let cases: [(text: String, shown: String)] = [
            (word, word),
            (word + "y", word),
            (word + " y", word),
            (shorter + " y", shorter),
            (shorter.dropLast() + " yz", shorter.dropLast() + " y"),
            (String(repeating: " ", count: most) + word, word),
            // Two scalars that are one character.
            (shorter + "e\u{301}", shorter + "e"),
        ]
        for (text, shown) in cases {
            #expect(BudgetSource("file", .information, text: text, .nothing).text == shown)
        }
    }
}
