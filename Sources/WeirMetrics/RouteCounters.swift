// SPDX-License-Identifier: Apache-2.0
// A counter for each route of one shard. Written by the shard's thread only.

/// Counts by route, for things that happen seldom.
package final class RouteCounters: Sendable {
    let cells: CellTable

    init(cellsMax: Int) {
        cells = CellTable(cellsMax: cellsMax, countersPerCell: 1)
    }

    /// Adds one for the route with this index. Writer's thread only.
    ///
    /// - Complexity: O(1) expected; never allocates.
    package func increment(route: Int32) {
        cells.add(cells.cell(RequestKey(route: route, method: 0, status: 0).packed), 0, 1)
    }
}
