// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirFlow
import WeirTestSupport

@Suite("DeadlineText") struct DeadlineTextTests {
    static let grpc: [(UInt64, String)] = [
        (0, "0n"), (1, "1n"), (99_999_999, "99999999n"), (100_000_000, "100000u"), (100_000_999, "100000u"),
        (99_999_999_999, "99999999u"), (100_000_000_000, "100000m"), (99_999_999_999_999, "99999999m"),
        (100_000_000_000_000, "100000S"), (99_999_999_999_999_999, "99999999S"), (100_000_000_000_000_000, "1666666M"),
        (UInt64(Int64.max), "2562047H"), (.max, "5124095H"),
    ]

    static let milliseconds: [(UInt64, String)] = [
        (0, "0"), (1, "1"), (999_999, "1"), (1_000_000, "1"), (1_999_999, "1"), (2_000_000, "2"),
        (15_000_000_000, "15000"), (.max, "18446744073709"),
    ]

    private func text(_ left: UInt64, _ form: DeadlineForm) -> String {
        let text = DeadlineText(left, as: form)
        let span = text.span
        return String(decoding: (0..<span.count).map { span[$0] }, as: UTF8.self)
    }

    @Test("gRPC has the finest unit that eight digits allow, rounded down", arguments: grpc)
    func writesGRPC(left: UInt64, expected: String) {
        #expect(text(left, .grpc) == expected)
    }

    @Test("The others have milliseconds, rounded down, and 0 only where nothing is left", arguments: milliseconds)
    func writesMilliseconds(left: UInt64, expected: String) {
        #expect(text(left, .milliseconds) == expected)
        #expect(text(left, .duration) == expected)
    }

    @Test("What is written reads as no more than what is left, and less by less than a unit")
    func readsBack() {
        var random = SeededGenerator(seed: 4)
        for _ in 0..<20000 {
            let left = random.next() >> UInt64(1 + random.below(63))
            for form in DeadlineForm.allCases {
                let bytes = Array(text(left, form).utf8)
                guard let read = form.read(bytes.span) else {
                    Issue.record("\(left) as \(form) cannot be read")
                    continue
                }
                // A number of eight digits is exact to a part in 10⁵ where the next unit is 1,000 times as long, and to
                // a part in 1.6 × 10⁶ where it is 60 times.
                let unit = form == .grpc ? max(1, left / 99999) : 1_000_000
                #expect(read <= max(left, left > 0 && form != .grpc ? 1_000_000 : 0))
                #expect(read + unit > left)
                #expect((read == 0) == (left == 0))
                if form == .grpc { #expect(bytes.count <= 9) }
            }
        }
    }
}
