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
            pieces[last].append(contentsOf: bytes)
        } else {
            pieces.append([UInt8](bytes))
        }
    }

    private static let joinedBytesMax = 4096

    package mutating func popFirst() -> [UInt8]? {
        guard first < pieces.count else { return nil }
        let piece = pieces[first]
        pieces[first] = []
        first += 1
        byteCount -= piece.count
        if first == pieces.count {
            pieces.removeAll(keepingCapacity: true)
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
