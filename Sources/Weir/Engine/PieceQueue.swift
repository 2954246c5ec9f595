// SPDX-License-Identifier: Apache-2.0
// What has come of a streamed request body and has not been read.

/// Pieces of a streamed body that wait for their reader.
struct PieceQueue {
    private var pieces: [[UInt8]] = []
    private var first = 0
    private(set) var byteCount = 0

    var isEmpty: Bool { first == pieces.count }

    mutating func append(_ piece: [UInt8]) {
        pieces.append(piece)
        byteCount += piece.count
    }

    mutating func popFirst() -> [UInt8]? {
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
