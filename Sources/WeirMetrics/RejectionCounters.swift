// SPDX-License-Identifier: Apache-2.0
// Counters for the requests that one shard turned away. Written by the shard's thread only.

/// Counts rejections by route and reason. No reason is ever lost: what does not fit counts with those of no route.
package final class RejectionCounters: Sendable {
    let cells: CellTable

    init(cellsMax: Int) {
        precondition(cellsMax > 1 + RejectionReason.allCases.count, "each reason has a cell")
        cells = CellTable(cellsMax: cellsMax, countersPerCell: 1)
        for reason in RejectionReason.allCases { _ = cells.cell(Self.key(Self.noRoute, reason)) }
    }

    /// Adds one for the route with this index. Writer's thread only.
    ///
    /// - Complexity: O(1) expected; never allocates.
    func increment(route: Int32, _ reason: RejectionReason) {
        let cell = cells.cell(Self.key(route, reason))
        cells.add(cell == CellTable.overflowCell ? cells.cell(Self.key(Self.noRoute, reason)) : cell, 0, 1)
    }

    /// How many were turned away for this reason. Any thread.
    package func count(_ reason: RejectionReason) -> UInt64 {
        (0..<cells.cellCount).reduce(0) { sum, cell in
            cell != CellTable.overflowCell && RequestKey(packed: cells.key(cell)).status == reason.rawValue
                ? sum &+ cells.value(cell, 0) : sum
        }
    }

    private static let noRoute: Int32 = -1

    /// The reason stands where others have the status.
    private static func key(_ route: Int32, _ reason: RejectionReason) -> UInt64 {
        RequestKey(route: route, method: 0, status: reason.rawValue).packed
    }
}
