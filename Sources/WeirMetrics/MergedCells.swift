// SPDX-License-Identifier: Apache-2.0
// The cells of several shards' tables, summed by their labels. Made for one scrape, on the admin thread.

/// The sums of cells that have the same labels, in the order of their keys.
///
/// By labels and not by keys: two routes can have one pattern (other methods, other hosts), and a series that stands
/// twice in a scrape is refused by Prometheus.
struct MergedCells {
    /// One series' sums.
    struct Cell {
        let labels: [MetricLabel]
        var counters: [UInt64]
    }

    /// By the first key of each; what did not fit into a table comes last, and only where there is some.
    private(set) var all: [Cell] = []

    init(_ tables: [CellTable], labels: (RequestKey) -> [MetricLabel]) {
        var places: [[MetricLabel]: Int] = [:]
        let cells = tables.flatMap { table in (0..<table.cellCount).map { (table: table, cell: $0) } }
        let keyed = cells.filter { $0.cell != CellTable.overflowCell }
            .map { (key: RequestKey(packed: $0.table.key($0.cell)), counters: $0.table.values($0.cell)) }
            .sorted { $0.key < $1.key }
        for (key, counters) in keyed {
            add(counters, to: labels(key), &places)
        }
        for (table, cell) in cells where cell == CellTable.overflowCell {
            let counters = table.values(cell)
            if counters.contains(where: { $0 != 0 }) { add(counters, to: RequestLabels.overflow, &places) }
        }
    }

    private mutating func add(_ counters: [UInt64], to labels: [MetricLabel], _ places: inout [[MetricLabel]: Int]) {
        if let place = places[labels] {
            for index in counters.indices { all[place].counters[index] &+= counters[index] }
        } else {
            places[labels] = all.count
            all.append(Cell(labels: labels, counters: counters))
        }
    }
}
