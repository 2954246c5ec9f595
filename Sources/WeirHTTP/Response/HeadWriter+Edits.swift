// SPDX-License-Identifier: Apache-2.0
// Changes to a head that has been written, whoever its fields come from: one pass over it, in place.

extension HeadWriter {
    /// Takes fields away from the head that begins where this writer does, and adds others behind them. Called once, in
    /// front of `end`; so it holds for all fields alike, those that were passed on and those of the engine.
    ///
    /// Needs room for `addedByteCount` bytes more.
    ///
    /// - Complexity: linear in the bytes of the head where something is taken away, else in those that are added. Does
    ///   not allocate.
    package mutating func edit(_ edits: borrowing FieldEdits) {
        remove(edits)
        raw(edits.added)
    }

    /// Takes fields away as `edit` does, and adds none: for what comes in front of a final head, and for trailers behind
    /// their last chunk's line.
    package mutating func remove(_ edits: borrowing FieldEdits) {
        guard edits.removes, !overflowed, let base = unsafe memory.baseAddress, count > 0 else { return }
        // What was written, read at and behind `runStart` only; what moves ends in front of it.
        let head = unsafe Span<UInt8>(_unsafeStart: base.assumingMemoryBound(to: UInt8.self), count: count)
        var kept = 0
        var runStart = 0
        // Behind the start line.
        var line = ByteScan.firstLineFeed(in: head, from: 0, to: count) &+ 1
        while line < count {
            let lineFeed = ByteScan.firstLineFeed(in: head, from: line, to: count)
            precondition(lineFeed > line, "a head is made of whole lines")
            var colon = line
            while head[colon] != ByteScan.colon { colon &+= 1 }
            if edits.removes(ByteRange(line, colon), in: head) {
                keep(runStart..<line, at: &kept)
                runStart = lineFeed &+ 1
            }
            line = lineFeed &+ 1
        }
        keep(runStart..<count, at: &kept)
        written = kept
    }

    /// Moves a run of lines down to `place`, which it pushes on.
    private func keep(_ run: Range<Int>, at place: inout Int) {
        // Both lie within what was written, as `place` is at most where the run begins. They may overlap.
        if place < run.lowerBound, !run.isEmpty, let base = unsafe memory.baseAddress {
            unsafe (base + place).copyMemory(from: base + run.lowerBound, byteCount: run.count)
        }
        place &+= run.count
    }
}
