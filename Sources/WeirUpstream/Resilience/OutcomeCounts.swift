// SPDX-License-Identifier: Apache-2.0
// An endpoint's counts at an instant, and what came between two instants. Pure.

import Glibc
import WeirEventLoop

/// What ``EndpointOutcomes`` stood at. Only differences of two mean something: answers share a word with a sum.
package struct OutcomeCounts: Equatable, Sendable {
    package var answers: UInt64 = 0
    package var squares: UInt64 = 0
    package var refusals: UInt64 = 0
    package var gatewayFailures: UInt64 = 0
    package var serverErrors: UInt64 = 0
    package var connectionFailures: UInt64 = 0
    package var timeouts: UInt64 = 0
    package var runStart: UInt64 = 0

    /// The word of answers counts up to 2²⁴ of them between two readings, which are a second apart whatever the interval
    /// is (`OutlierEjection` adds them up). A logarithm is below 2¹⁴, so the sum of as many takes 38 bits and never
    /// reaches the count.
    static let sumBits: UInt64 = 40

    /// What an answer adds to the word.
    static func answer(_ logarithm: UInt64) -> UInt64 { 1 << sumBits | logarithm }

    /// The binary logarithm in 256ths, with a straight line between powers of two: at most 6 % off as a latency. That is
    /// what the exponent of a floating-point number and the first eight bits behind it are.
    static func logarithm(_ latency: Nanoseconds) -> UInt64 {
        let number = Double(Int64(truncatingIfNeeded: min(max(1, latency), 1 << 62)))
        return number.bitPattern >> 44 &- exponentBias << 8
    }

    private static let exponentBias: UInt64 = 1023

    /// How many have failed without an answer between; those up to `base` are forgiven.
    package func run(since base: UInt64 = 0) -> Int {
        max(0, Int(truncatingIfNeeded: runFailures &- max(runStart, base)))
    }

    package var runFailures: UInt64 { gatewayFailures &+ timeouts }

    /// What came between two readings, the earlier one on the right.
    package static func - (later: OutcomeCounts, earlier: OutcomeCounts) -> OutcomeWindow {
        let answers = later.answers &- earlier.answers
        let failures =
            later.runFailures &- earlier.runFailures &+ later.serverErrors &- earlier.serverErrors
            &+ later.connectionFailures &- earlier.connectionFailures
        return OutcomeWindow(
            answered: Int(truncatingIfNeeded: answers >> sumBits),
            logarithms: Int(truncatingIfNeeded: answers & (1 << sumBits - 1)),
            squares: Int(truncatingIfNeeded: later.squares &- earlier.squares),
            failed: Int(truncatingIfNeeded: failures)
        )
    }
}

/// What an endpoint, or several together, did in a while. Refusals are left out: they are neither good nor bad.
package struct OutcomeWindow: Equatable, Sendable {
    package var answered = 0
    var logarithms = 0
    /// Below 2²⁸ for an answer: right up to 2³⁵ of them.
    var squares = 0
    package var failed = 0

    package init() {}

    init(answered: Int, logarithms: Int, squares: Int, failed: Int) {
        self.answered = answered
        self.logarithms = logarithms
        self.squares = squares
        self.failed = failed
    }

    package var total: Int { answered + failed }

    /// The share that failed.
    package var failureShare: Double { Double(failed) / Double(max(1, total)) }

    /// The geometric mean in nanoseconds. Of latencies, which spread over orders of magnitude, that is about the median:
    /// one answer in a hundred that takes a thousand times as long moves it by 7 %, and an arithmetic mean tenfold.
    package var typicalLatency: Double { exp2(meanLogarithm) }

    var meanLogarithm: Double { Double(logarithms) / 256 / Double(max(1, answered)) }

    /// The square of the standard error of `meanLogarithm`; infinite for fewer than two.
    var squaredError: Double {
        guard answered >= 2 else { return .infinity }
        let variance = Double(squares) / 65536 / Double(answered) - meanLogarithm * meanLogarithm
        return max(0, variance) / Double(answered - 1)
    }

    static func + (one: OutcomeWindow, other: OutcomeWindow) -> OutcomeWindow {
        OutcomeWindow(
            answered: one.answered + other.answered,
            logarithms: one.logarithms + other.logarithms,
            squares: one.squares + other.squares,
            failed: one.failed + other.failed
        )
    }

    static func - (all: OutcomeWindow, part: OutcomeWindow) -> OutcomeWindow {
        OutcomeWindow(
            answered: all.answered - part.answered,
            logarithms: all.logarithms - part.logarithms,
            squares: all.squares - part.squares,
            failed: all.failed - part.failed
        )
    }
}
