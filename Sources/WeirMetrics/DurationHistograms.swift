// SPDX-License-Identifier: Apache-2.0
// `http_server_request_duration_seconds` of one shard. Written by the shard's thread only.

/// Histograms of request durations, one for each route, method and status that occurs.
package final class DurationHistograms: Sendable {
    /// The buckets come first, the sum of nanoseconds last.
    static let sumCounter = DurationBuckets.boundCount + 1

    let cells: CellTable

    init(cellsMax: Int) {
        cells = CellTable(cellsMax: cellsMax, countersPerCell: Self.sumCounter + 1)
    }

    /// How many, and how long all together.
    package struct Total: Equatable, Sendable {
        package var count: UInt64
        package var nanoseconds: UInt64

        package init(count: UInt64 = 0, nanoseconds: UInt64 = 0) {
            self.count = count
            self.nanoseconds = nanoseconds
        }

        package static func + (one: Total, other: Total) -> Total {
            Total(count: one.count &+ other.count, nanoseconds: one.nanoseconds &+ other.nanoseconds)
        }
    }

    /// The sums over all that was counted. Any thread. Allocates.
    package var total: Total {
        (0..<cells.cellCount).reduce(Total()) { sum, cell in
            let counters = cells.values(cell)
            // From the buckets, as in the exposition.
            let count = counters[..<Self.sumCounter].reduce(0, &+)
            return sum + Total(count: count, nanoseconds: counters[Self.sumCounter])
        }
    }

    /// Counts one request. Writer's thread only.
    ///
    /// - Parameters:
    ///   - route: the route's index; a negative one for requests that met no route.
    ///   - method: the method's index in ``RequestLabels/methods``.
    ///   - status: the response's status.
    ///   - nanoseconds: from the request's first byte to the end of the response.
    /// - Complexity: O(1) expected; never allocates.
    package func record(route: Int32, method: UInt8, status: UInt16, nanoseconds: UInt64) {
        let cell = cells.cell(RequestKey(route: route, method: method, status: status).packed)
        cells.add(cell, DurationBuckets.index(nanoseconds), 1, Self.sumCounter, nanoseconds)
    }
}
