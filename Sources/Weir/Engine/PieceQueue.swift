// SPDX-License-Identifier: Apache-2.0
// What has come of a streamed request body and has not been read.

/// Pieces of a streamed body that wait for their reader.
package struct PieceQueue {
    private var pieces: [[UInt8]] = []
    private var first = 0
    package private(set) var byteCount = 0

    package init() {}

    package var isEmpty: Bool { first == pieces.count }

    /// Small ones join the one before them: an array for each chunk of a few bytes would take many times as much memory
    /// as they do.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        byteCount += bytes.count
        let last = pieces.count - 1
        if !isEmpty, pieces[last].count + bytes.count <= Self.joinedBytesMax {
            // Else it would double, beyond what a piece may be.
            pieces[last].reserveCapacity(Self.joinedBytesMax)
            pieces[last].append(contentsOf: bytes)
        } else {
            pieces.append([UInt8](bytes))
        }
    }

    private static let joinedBytesMax = 4096
    /// So many places of pieces that were taken may be left at the front.
    private static let takenMax = 32

    /// How many places there are, those of pieces that were taken among them.
    package var placeCount: Int { pieces.count }

    package mutating func popFirst() -> [UInt8]? {
        guard first < pieces.count else { return nil }
        let piece = pieces[first]
        pieces[first] = []
        first += 1
        byteCount -= piece.count
        if first == pieces.count {
            pieces.removeAll(keepingCapacity: true)
            first = 0
        } else if first >= Self.takenMax, 2 * first >= pieces.count {
            // A reader that is always behind leaves it never empty.
            pieces.removeFirst(first)
            first = 0
        }
        return piece
    }

    mutating func removeAll() {
        guard !pieces.isEmpty else { return }
        pieces = []
        first = 0
        byteCount = 0
    }
}
