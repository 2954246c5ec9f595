// SPDX-License-Identifier: Apache-2.0
// What a check's answer said, for people: bounded, however much came. Pure.

/// The end of a text that comes in pieces.
package struct CheckOutput: Sendable {
    /// How much of an output is kept.
    package static let bytesMax = 4096

    private var tail: [UInt8] = []

    package init() {}

    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        tail.append(contentsOf: bytes.suffix(Self.bytesMax))
        // Cut when twice as much is there, so that small pieces do not move it each time.
        if tail.count >= 2 * Self.bytesMax { tail.removeFirst(tail.count - Self.bytesMax) }
    }

    /// The last `bytesMax` bytes; what is no UTF-8 reads as U+FFFD.
    package var text: String { String(decoding: tail.suffix(Self.bytesMax), as: UTF8.self) }

    /// What a client gave as the output of a TTL check: its beginning, and a note where that is not all.
    package static func given(_ text: String) -> String {
        let count = text.utf8.count
        guard count > bytesMax else { return text }
        let beginning = String(decoding: text.utf8.prefix(bytesMax), as: UTF8.self)
        return "\(beginning) ... (captured \(bytesMax) of \(count) bytes)"
    }
}
