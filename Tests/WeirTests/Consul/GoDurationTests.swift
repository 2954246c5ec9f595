// SPDX-License-Identifier: Apache-2.0
// Durations in Go's form.

import Testing
import Weir
import WeirTestSupport

@Suite("A duration of Go")
struct GoDurationTests {
    @Test(
        "is read and written as Go does",
        arguments: [
            ("0s", .zero), ("10s", .seconds(10)), ("1m0s", .seconds(60)), ("1m30s", .seconds(90)),
            ("1h0m0s", .seconds(3600)), ("26h3m4.5s", .milliseconds(93_784_500)), ("1.5s", .milliseconds(1500)),
            ("250ms", .milliseconds(250)), ("1.001ms", .microseconds(1001)), ("3µs", .microseconds(3)),
            ("7ns", .nanoseconds(7)), ("-1.5s", .milliseconds(-1500)), ("1.000000001s", .nanoseconds(1_000_000_001)),
        ] as [(String, Duration)]
    )
    func bothWays(_ text: String, _ duration: Duration) {
        #expect(GoDuration.parse(text) == duration)
        #expect(GoDuration.text(duration) == text)
    }

    @Test(
        "has other forms, too",
        arguments: [
            ("0", .zero), ("+5s", .seconds(5)), ("90s", .seconds(90)), (".5s", .milliseconds(500)),
            ("1.s", .seconds(1)), ("1us", .microseconds(1)), ("1h1ms", .milliseconds(3_600_001)),
            ("0.0000000019s", .nanoseconds(1)),
        ] as [(String, Duration)]
    )
    func otherForms(_ text: String, _ duration: Duration) {
        #expect(GoDuration.parse(text) == duration)
    }

    @Test("is nothing else", arguments: ["", "10", "s", "1x", "1 s", "-", ".s", "1.2.3s", "1d", "9999999999h", "٣s"])
    func refused(_ text: String) {
        #expect(GoDuration.parse(text) == nil)
    }

    @Test("reads as the same duration once it was written")
    func property() {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<10_000 {
            let size = Int64(bitPattern: random.next()) >> Int64(random.below(63))
            let duration = Duration.nanoseconds(size == .min ? 0 : size)
            #expect(GoDuration.parse(GoDuration.text(duration)) == duration)
        }
    }
}
