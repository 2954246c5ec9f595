// SPDX-License-Identifier: Apache-2.0
// A small queue for working out tables. A value.

/// Endpoints by a time of each, in a binary heap: the earliest comes first, of those the one with the least index.
struct EarliestFirst {
    private var entries: [(time: Int, index: UInt16)] = []

    mutating func insert(_ index: UInt16, at time: Int) {
        entries.append((time, index))
        var child = entries.count - 1
        while child > 0, entries[child] < entries[(child - 1) / 2] {
            entries.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// - Precondition: there is one.
    mutating func removeEarliest() -> UInt16 {
        entries.swapAt(0, entries.count - 1)
        let earliest = entries.removeLast()
        var parent = 0
        while 2 * parent + 1 < entries.count {
            var child = 2 * parent + 1
            if child + 1 < entries.count, entries[child + 1] < entries[child] { child += 1 }
            guard entries[child] < entries[parent] else { break }
            entries.swapAt(parent, child)
            parent = child
        }
        return earliest.index
    }
}
