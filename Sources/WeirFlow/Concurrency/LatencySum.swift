// SPDX-License-Identifier: Apache-2.0
// Latencies added up, and what the sums tell. Pure.

/// Latencies that were added up: their number, sum, and sum of squares.
package struct LatencySum: Sendable, Equatable {
    package private(set) var count: UInt64
    private var nanoseconds: UInt64
    private var squares: UInt64

    package init(count: UInt64 = 0, nanoseconds: UInt64 = 0, squares: UInt64 = 0) {
        self.count = count
        self.nanoseconds = nanoseconds
        self.squares = squares
    }

    /// Squares are of units of 4.096 µs, and of 275 s at most: sums wrap round, and the difference of two is right for
    /// windows of 4000 such requests, or of 80,000 of a minute.
    static func square(_ latency: Nanoseconds) -> UInt64 {
        let units = min(latency >> squareShift, 1 << 26)
        return units &* units
    }

    private static let squareShift: UInt64 = 12

    /// The mean in nanoseconds; at least 1, so that a ratio of two is always a number.
    package var mean: Double { max(1, Double(nanoseconds) / Double(max(1, count))) }

    /// The standard error of the mean, as a share of it; infinite for less than two.
    package var error: Double {
        guard count >= 2, nanoseconds > 0 else { return .infinity }
        let mean = self.mean / Double(1 << Self.squareShift)
        let variance = max(0, Double(squares) / Double(count) - mean * mean)
        return (variance / Double(count - 1)).squareRoot() / mean
    }

    package static func + (one: LatencySum, other: LatencySum) -> LatencySum {
        LatencySum(
            count: one.count &+ other.count,
            nanoseconds: one.nanoseconds &+ other.nanoseconds,
            squares: one.squares &+ other.squares
        )
    }

    /// What was added between two states of a sum, the earlier one on the right.
    package static func - (later: LatencySum, earlier: LatencySum) -> LatencySum {
        LatencySum(
            count: later.count &- earlier.count,
            nanoseconds: later.nanoseconds &- earlier.nanoseconds,
            squares: later.squares &- earlier.squares
        )
    }
}

/// What has ended since the start.
package struct LatencyTotals: Sendable, Equatable {
    /// Requests that ended with as many executing as the limit allows, or more: they tell what the limit costs.
    package var bound = LatencySum()

    /// Requests that ended below the limit.
    package var free = LatencySum()

    /// Requests that failed from overload. Their latency says nothing: it is a timeout's, or a refusal's.
    package var failureCount: UInt64 = 0

    package init() {}

    package var all: LatencySum { bound + free }

    package var endedCount: UInt64 { all.count &+ failureCount }

    /// What came between two totals, the earlier one on the right.
    package static func - (later: LatencyTotals, earlier: LatencyTotals) -> LatencyTotals {
        var difference = LatencyTotals()
        difference.bound = later.bound - earlier.bound
        difference.free = later.free - earlier.free
        difference.failureCount = later.failureCount &- earlier.failureCount
        return difference
    }
}
