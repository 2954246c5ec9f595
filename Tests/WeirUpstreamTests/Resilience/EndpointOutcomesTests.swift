// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

@Suite("EndpointOutcomes") struct EndpointOutcomesTests {
    static let statuses: [(Int, Bool, EndpointOutcome)] = [
        (200, false, .answered(7)), (101, false, .answered(7)), (301, false, .answered(7)),
        (404, false, .answered(7)), (429, false, .refused), (429, true, .refused),
        (500, false, .serverError), (500, true, .serverError), (501, false, .serverError),
        (502, false, .gatewayFailure), (503, false, .gatewayFailure), (503, true, .refused),
        (504, false, .gatewayFailure), (504, true, .gatewayFailure), (599, false, .serverError),
        (600, false, .answered(7)),
    ]

    @Test("A status says how a request ended", arguments: statuses)
    func status(status: Int, hasRetryAfter: Bool, expected: EndpointOutcome) {
        #expect(EndpointOutcome(status: status, hasRetryAfter: hasRetryAfter, after: 7) == expected)
    }

    private static let kinds: [EndpointOutcome] = [
        .answered(1_000_000), .refused, .gatewayFailure, .serverError, .connectionFailure, .timeout,
    ]

    @Test("The counts and the run are those of a list of all outcomes", arguments: 1...20 as ClosedRange<UInt64>)
    func model(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let outcomes = EndpointOutcomes()
        let start = outcomes.counts
        var noted: [EndpointOutcome] = []
        for _ in 0..<500 {
            let outcome = Self.kinds[random.below(Self.kinds.count)]
            noted.append(outcome)
            outcomes.note(outcome)
            let lastAnswer = noted.lastIndex { if case .answered = $0 { true } else { false } }
            let expected = noted[(lastAnswer.map { $0 + 1 } ?? 0)...].count { $0 == .gatewayFailure || $0 == .timeout }
            let counts = outcomes.counts
            #expect(counts.run() == expected)
        }
        let window = outcomes.counts - start
        #expect(window.answered == noted.count { if case .answered = $0 { true } else { false } })
        #expect(window.failed == noted.count { ![.answered(1_000_000), .refused].contains($0) })
    }

    static let latencies: [UInt64] = [
        0, 1, 2, 3, 999, 1_000_000, 1_414_214, 25_000_000, 3_600_000_000_000, 1 << 62,
    ]

    @Test("A typical latency is at most 7 % off", arguments: latencies)
    func latency(_ latency: UInt64) {
        let outcomes = EndpointOutcomes()
        let start = outcomes.counts
        for _ in 0..<10 { outcomes.note(.answered(latency)) }
        let typical = (outcomes.counts - start).typicalLatency
        #expect(abs(typical / Double(max(1, latency)) - 1) < 0.07)
    }

    @Test("One answer in a hundred that takes a thousand times as long hardly moves the typical latency")
    func robust() {
        let outcomes = EndpointOutcomes()
        let start = outcomes.counts
        for number in 0..<100 { outcomes.note(.answered(number == 0 ? 10_000_000_000 : 10_000_000)) }
        let typical = (outcomes.counts - start).typicalLatency
        #expect(typical > 9_300_000 && typical < 11_500_000)
    }

    @Test("A window is right where the word of answers has gone round in it")
    func wrapping() {
        // 2²⁴ answers less ten, of the largest logarithm, lie before the window.
        var before = EndpointOutcomes().counts
        before.answers = (1 << 24 - 10) << 40 | (1 << 40 - 5)
        var after = before
        for _ in 0..<20 { after.answers &+= 1 << 40 | 20 << 8 }
        let window = after - before
        #expect(window.answered == 20)
        #expect(abs(window.typicalLatency - Double(1 << 20)) < 1)
    }

    @Test("Failures before the base are in no run")
    func base() {
        let outcomes = EndpointOutcomes()
        for _ in 0..<7 { outcomes.note(.timeout) }
        let base = outcomes.counts.runFailures
        for _ in 0..<3 { outcomes.note(.gatewayFailure) }
        let counts = outcomes.counts
        #expect(counts.run() == 10)
        #expect(counts.run(since: base) == 3)
        outcomes.note(.answered(1))
        outcomes.note(.timeout)
        let later = outcomes.counts
        #expect(later.run(since: base) == 1)
    }

    private final class Shared: Sendable {
        let outcomes = EndpointOutcomes()
    }

    @Test("Nothing that several threads note is lost")
    func threads() {
        let shared = Shared()
        let start = shared.outcomes.counts
        inThreads(4) { thread in
            for number in 0..<20_000 {
                shared.outcomes.note(number % 4 == 0 ? .connectionFailure : .answered(UInt64(thread + 1) * 1000))
            }
        }
        let window = shared.outcomes.counts - start
        #expect(window.answered == 60_000)
        #expect(window.failed == 20_000)
        // The geometric mean of 1, 2, 3 and 4 µs is 24^(1/4) µs.
        #expect(abs(window.typicalLatency / (1000 * pow(24, 0.25)) - 1) < 0.07)
    }

    @Test("What each request writes lies apart from what it reads: only its address is among that")
    func layout() {
        let address = MemoryLayout<UnsafeRawPointer>.size
        #expect(MemoryLayout<EndpointOutcomes>.size == address)
        #expect(MemoryLayout<EndpointLoad>.size == address)
        #expect(MemoryLayout<RouteResponseTimes>.size == address)
        #expect(MemoryLayout<RetryBudget>.size == address)
        // A place of a route is a line.
        #expect(MemoryLayout<ResponseTimes>.stride == 64)
    }
}
