// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirFlow
import WeirTestSupport

@Suite("DeadlineForm") struct DeadlineFormTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let form: DeadlineForm
        let text: String
        let left: UInt64?

        init(_ form: DeadlineForm, _ text: String, _ left: UInt64?) {
            self.form = form
            self.text = text
            self.left = left
        }

        var testDescription: String { "\(form) \(text)" }
    }

    static let well: [Case] = [
        Case(.grpc, "1n", 1),
        Case(.grpc, "20u", 20000),
        Case(.grpc, "300m", 300_000_000),
        Case(.grpc, "4S", 4_000_000_000),
        Case(.grpc, "5M", 300_000_000_000),
        Case(.grpc, "6H", 21_600_000_000_000),
        Case(.grpc, "99999999H", DeadlineForm.timeMax),
        Case(.grpc, "2562047H", 9_223_369_200_000_000_000),
        Case(.grpc, "00000001S", 1_000_000_000),
        Case(.grpc, "0S", 0),
        Case(.milliseconds, "0", 0),
        Case(.milliseconds, "15000", 15_000_000_000),
        Case(.milliseconds, "9223372036854", 9_223_372_036_854_000_000),
        Case(.milliseconds, "9223372036855", DeadlineForm.timeMax),
        Case(.milliseconds, "18446744073709551615", DeadlineForm.timeMax),
        Case(.milliseconds, "18446744073709551616", DeadlineForm.timeMax),
        Case(.milliseconds, String(repeating: "9", count: 400), DeadlineForm.timeMax),
        Case(.duration, "250", 250_000_000),
        Case(.duration, "250ms", 250_000_000),
        Case(.duration, "0.25", 250000),
        Case(.duration, "1.5s", 1_500_000_000),
        Case(.duration, "2m", 120_000_000_000),
        Case(.duration, "0.5h", 1_800_000_000_000),
        Case(.duration, "7us", 7000),
        Case(.duration, "9ns", 9),
        Case(.duration, "1.9ns", 1),
        Case(.duration, "0.000000001s", 1),
        Case(.duration, "0.0000000019s", 1),
        Case(.duration, "0.9999999999h", 3_599_999_996_400),
        Case(.duration, "99999999999999999999h", DeadlineForm.timeMax),
        Case(.duration, "9223372036.854775807s", DeadlineForm.timeMax),
        Case(.duration, "9223372036.854775808s", DeadlineForm.timeMax),
    ]

    static let malformed: [Case] =
        [
            "", "S", "1", "1s", "1h", "123456789n", "000000001S", "1SS", "1 S", " 1S", "-1S", "+1S", "1.5S", "1ms",
            "0x1S", "٣S",
        ].map { Case(.grpc, $0, nil) }
        + ["", "-1", "+1", "1.5", "1ms", "1 ", "0x10", "1,000", "1, 2", "٣"].map { Case(.milliseconds, $0, nil) }
        + [
            "", "ms", ".5s", "1.", "1.s", "-1s", "1S", "1 s", "1m30s", "1d", "1µs", "1e3", "1..5s",
            "1sm", "1mss", "infinity",
        ].map { Case(.duration, $0, nil) }

    @Test("A value of its form says how much is left", arguments: well)
    func reads(example: Case) {
        #expect(example.form.read(Array(example.text.utf8).span) == example.left)
    }

    @Test("What is not of its form says nothing", arguments: malformed)
    func ignores(example: Case) {
        #expect(example.form.read(Array(example.text.utf8).span) == nil)
    }

    @Test("Bytes at random are read or not, and never more than the most")
    func survivesAnything() {
        var random = SeededGenerator(seed: 12)
        let alphabet = Array("0123456789.HMSmunhs -".utf8)
        var readCount = 0
        for _ in 0..<20000 {
            let bytes = (0..<random.below(14)).map { _ in alphabet[random.below(alphabet.count)] }
            for form in DeadlineForm.allCases {
                guard let left = form.read(bytes.span) else { continue }
                readCount += 1
                #expect(left <= DeadlineForm.timeMax)
            }
        }
        #expect(readCount > 100)
    }
}
