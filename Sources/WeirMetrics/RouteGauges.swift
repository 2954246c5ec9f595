// SPDX-License-Identifier: Apache-2.0
// A gauge for each route of one shard. Written by the shard's thread only.

/// How many there are now, by route, of things that are few.
package final class RouteGauges: Sendable {
    let cells: CellTable

    init(cellsMax: Int) {
        cells = CellTable(cellsMax: cellsMax, countersPerCell: 1)
    }

    /// How many there are of all routes. Any thread.
    package var total: Int {
        let sum = (0..<cells.cellCount).reduce(UInt64(0)) { $0 &+ cells.value($1, 0) }
        return Int(Int64(bitPattern: sum))
    }

    /// One more for the route with this index, or one fewer. Writer's thread only.
    ///
    /// - Complexity: O(1) expected; never allocates.
    func add(route: Int32, isMore: Bool) {
        // Cells wrap round: the greatest number is one fewer.
        let one: UInt64 = isMore ? 1 : .max
        cells.add(cells.cell(RequestKey(route: route, method: 0, status: 0).packed), 0, one)
    }
}
