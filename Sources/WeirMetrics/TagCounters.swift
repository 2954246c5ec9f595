// SPDX-License-Identifier: Apache-2.0
// Counters for the traffic tags of one shard's requests. Written by the shard's thread only.

/// Counts requests by route and tag.
package final class TagCounters: Sendable {
    /// Stands for a request that has no tag of its route.
    package static let none = UInt16.max

    let cells: CellTable

    init(cellsMax: Int) {
        cells = CellTable(cellsMax: cellsMax, countersPerCell: 1)
    }

    /// Adds one. Writer's thread only. Never allocates.
    ///
    /// - Parameter tag: the number of its name, or `none`. It stands in the key where others have the status.
    func increment(route: Int32, tag: UInt16) {
        cells.add(cells.cell(RequestKey(route: route, method: 0, status: tag).packed), 0, 1)
    }
}

extension RequestLabels {
    /// The labels of a key that has a tag for its status.
    func tagged(_ key: RequestKey) -> [MetricLabel] {
        let tag = key.status == TagCounters.none ? nil : name(Int32(key.status))
        return route(key.route) + [MetricLabel("tag", tag ?? "none")]
    }
}
