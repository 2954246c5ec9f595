// SPDX-License-Identifier: Apache-2.0
// Groups of counters that come into being as their keys occur: one writer thread, any number of readers.

import Synchronization

/// A table of cells, each a few counters under a 64-bit key, of fixed capacity and with no allocation after `init`.
///
/// 1. Cells lie one after the other in one block. Those below `cellCount` are in use and never change their key.
/// 2. Only the writer's thread calls `cell(_:)` and `add(_:_:_:)`. It finds cells through `slots`, an open-addressed
///    index that no other thread touches.
/// 3. A new cell is initialised first and then published by the release store of `cellCount`; readers load it with
///    acquire and look at the cells below it only.
/// 4. Cell 0 has no key: it takes what does not fit any more, so that sums stay exact.
///
/// Memory that no cell has used was never touched, so a table costs what occurs and not what could.
@safe
final class CellTable: @unchecked Sendable {
    /// The cell that stands for all keys beyond the capacity.
    static let overflowCell = 0

    private let cellsMax: Int
    private let wordsPerCell: Int
    private let slotMask: Int
    // Each cell is its key and then its counters. Invariant: the words of cells below `published` are initialised.
    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    // Cell numbers at the hash of their key or after it; 0 is a free slot. At most half are taken, so probing ends.
    private let slots: UnsafeMutablePointer<UInt16>
    private let published = Atomic<Int>(0)
    // The key that was asked for last and its cell: most requests are like the one before. Writer's thread only.
    private var lastKey: UInt64 = .max
    private var lastCell = overflowCell

    init(cellsMax: Int, countersPerCell: Int) {
        precondition(cellsMax >= 2 && cellsMax <= Int(UInt16.max), "a table has 2 to 65535 cells")
        self.cellsMax = cellsMax
        wordsPerCell = countersPerCell + 1
        var slotCount = 4
        while slotCount < cellsMax * 2 { slotCount *= 2 }
        slotMask = slotCount - 1
        unsafe words = .allocate(capacity: cellsMax * (countersPerCell + 1))
        unsafe slots = .allocate(capacity: slotCount)
        unsafe slots.initialize(repeating: 0, count: slotCount)
        _ = append(key: .max)
    }

    deinit {
        unsafe words.deinitialize(count: cellCount * wordsPerCell)
        unsafe words.deallocate()
        unsafe slots.deallocate()
    }

    /// The cells in use, the overflow cell included. Any thread.
    var cellCount: Int {
        // Pairs with the release in `append`: the words of these cells are initialised.
        published.load(ordering: .acquiring)
    }

    /// The cell of this key, a new one if it is new, the overflow cell if there is no room. Writer's thread only.
    func cell(_ key: UInt64) -> Int {
        if key == lastKey { return lastCell }
        let cell = lookUp(key)
        lastKey = key
        lastCell = cell
        return cell
    }

    private func lookUp(_ key: UInt64) -> Int {
        // Fibonacci hashing: the product's upper half is well mixed where keys differ in a few bits only.
        var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & slotMask
        while true {
            // In bounds: the mask keeps `slot` below the number of slots.
            let cell = Int(unsafe slots[slot])
            if cell == 0 { break }
            if self.key(cell) == key { return cell }
            slot = (slot &+ 1) & slotMask
        }
        let cell = append(key: key)
        // In bounds as above; the conversion holds, as there are at most 65535 cells.
        if cell != Self.overflowCell { unsafe slots[slot] = UInt16(cell) }
        return cell
    }

    /// Adds to a counter of a cell. Writer's thread only.
    func add(_ cell: Int, _ counter: Int, _ amount: UInt64) {
        let index = wordIndex(cell, counter)
        // In bounds and initialised: `wordIndex` checked it. Relaxed: nothing else is published with a count.
        unsafe words[index].store(unsafe words[index].load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    /// Adds to two counters of a cell. Writer's thread only.
    @inline(__always)
    func add(_ cell: Int, _ first: Int, _ firstAmount: UInt64, _ second: Int, _ secondAmount: UInt64) {
        let start = wordIndex(cell, first)
        precondition(second >= -1 && second + 1 < wordsPerCell, "a cell has no such counter")
        let other = start &+ second &- first
        // In bounds and initialised: the first by `wordIndex`, the other lies in the same cell. Relaxed as above.
        unsafe words[start].store(unsafe words[start].load(ordering: .relaxed) &+ firstAmount, ordering: .relaxed)
        unsafe words[other].store(unsafe words[other].load(ordering: .relaxed) &+ secondAmount, ordering: .relaxed)
    }

    /// What a counter of a cell stands at. Any thread, for cells below ``cellCount``.
    func value(_ cell: Int, _ counter: Int) -> UInt64 {
        // In bounds and initialised: `wordIndex` checked it.
        unsafe words[wordIndex(cell, counter)].load(ordering: .relaxed)
    }

    /// All counters of a cell. Any thread, for cells below ``cellCount``. Allocates.
    func values(_ cell: Int) -> [UInt64] {
        (0..<wordsPerCell - 1).map { value(cell, $0) }
    }

    /// The key of a cell. Any thread, for cells below ``cellCount``.
    func key(_ cell: Int) -> UInt64 {
        value(cell, -1)
    }

    /// Where a counter of a published cell is; the key is counter -1.
    private func wordIndex(_ cell: Int, _ counter: Int) -> Int {
        precondition(cell >= 0 && cell < cellCount, "there is no such cell")
        precondition(counter >= -1 && counter + 1 < wordsPerCell, "a cell has no such counter")
        return cell &* wordsPerCell &+ counter &+ 1
    }

    private func append(key: UInt64) -> Int {
        let cell = published.load(ordering: .relaxed)
        if cell == cellsMax { return Self.overflowCell }
        // In bounds: `cell` is below `cellsMax`; nobody else reads or writes a cell that is not published.
        let start = unsafe words + cell * wordsPerCell
        unsafe start.initialize(to: Atomic(key))
        for offset in 1..<wordsPerCell { unsafe (start + offset).initialize(to: Atomic(0)) }
        // Pairs with the acquire in `cellCount`.
        published.store(cell + 1, ordering: .releasing)
        return cell
    }
}
