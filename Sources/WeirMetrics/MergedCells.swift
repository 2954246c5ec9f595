// SPDX-License-Identifier: Apache-2.0
// The cells of several shards' tables, read once, and summed by their labels. Made for one scrape, on the admin thread.

/// What the cells of some tables stood at. Read once, so that a family by route and its sum say the same.
struct CellReadings {
    /// What one cell stood at.
    typealias Reading = (key: RequestKey, counters: [UInt64])

    /// By key.
    let keyed: [Reading]
    /// What did not fit into its table.
    let overflow: [[UInt64]]

    init(_ tables: [CellTable]) {
        var keyed: [Reading] = []
        var overflow: [[UInt64]] = []
        for table in tables {
            for cell in 0..<table.cellCount {
                let counters = table.values(cell)
                if cell == CellTable.overflowCell {
                    overflow.append(counters)
                } else {
                    keyed.append((RequestKey(packed: table.key(cell)), counters))
                }
            }
        }
        self.keyed = keyed.sorted { $0.key < $1.key }
        self.overflow = overflow
    }

    /// The sums over all that are wanted.
    func sums(countersPerCell: Int, where isWanted: (RequestKey?) -> Bool = { _ in true }) -> [UInt64] {
        var sums = [UInt64](repeating: 0, count: countersPerCell)
        func add(_ counters: [UInt64]) {
            for index in sums.indices { sums[index] &+= counters[index] }
        }
        for reading in keyed where isWanted(reading.key) { add(reading.counters) }
        for counters in overflow where isWanted(nil) { add(counters) }
        return sums
    }
}

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
        self.init(CellReadings(tables), labels: labels)
    }

    init(_ readings: CellReadings, labels: (RequestKey) -> [MetricLabel]) {
        var places: [[MetricLabel]: Int] = [:]
        for reading in readings.keyed { add(reading.counters, to: labels(reading.key), &places) }
        for counters in readings.overflow where counters.contains(where: { $0 != 0 }) {
            add(counters, to: RequestLabels.overflow, &places)
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
