// SPDX-License-Identifier: Apache-2.0
// RFC 9110 section 10.2.3, as far as endpoints' answers are read by it.

import Testing
import WeirEventLoop
import WeirUpstream

@Suite struct RetryAfterTests {
    @Test(
        arguments: [
            ("0", 0), ("1", 1), ("120", 120), ("007", 7), ("86400", 86_400),
            // The longest that is believed, however many digits.
            ("86401", 86_400), ("18446744073709551616", 86_400), (String(repeating: "9", count: 4096), 86_400),
            // Given, and no time: a date, what is neither, nothing.
            ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("-1", 0), ("1.5", 0), ("12x", 0), ("", 0), ("\u{661}", 0),
        ] as [(String, Nanoseconds)]
    )
    func `seconds are read, and all else is no time`(value: String, seconds: Nanoseconds) {
        #expect(RetryAfter.read(value.utf8.span) == seconds * 1_000_000_000)
    }
}
