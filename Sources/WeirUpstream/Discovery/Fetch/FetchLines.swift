// SPDX-License-Identifier: Apache-2.0
// A body that is lines without an end, as its bytes come. Pure.

/// Cuts bytes into lines. What is held is what was not taken, and the beginning of the line that is on its way.
struct FetchLines: ~Copyable {
    private let bytesMax: Int
    private var bytes: [UInt8] = []
    /// What is in front of it was taken.
    private var start = 0
    /// There is no end of a line between `start` and here.
    private var scanned = 0

    /// - Parameter bytesMax: the longest line, without its end.
    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    mutating func append(_ more: [UInt8]) {
        // All of it was taken, as a rule.
        if start > 0 {
            bytes.removeFirst(start)
            scanned -= start
            start = 0
        }
        bytes.append(contentsOf: more)
    }

    /// The next line without its end; nil until there is one. Empty lines are left out.
    mutating func next() -> [UInt8]? {
        while scanned < bytes.count {
            guard bytes[scanned] == UInt8(ascii: "\n") else {
                scanned += 1
                continue
            }
            let line = Array(bytes[start..<scanned])
            scanned += 1
            start = scanned
            if !line.isEmpty { return line }
        }
        return nil
    }

    /// Whether the line that is on its way is longer than may be; once `next` has said nil.
    var isTooLong: Bool { bytes.count - start > bytesMax }
}
