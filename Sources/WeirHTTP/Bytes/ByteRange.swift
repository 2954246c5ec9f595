// SPDX-License-Identifier: Apache-2.0
// Where a part of a message lies in its buffer. Pure value; carries no bytes, so it stays valid when the head is copied.

/// A run of bytes, as an offset from the first byte of the message and a length.
@usableFromInline
package struct ByteRange: Equatable, Sendable {
    /// Offset of the first byte from the first byte that the parser was given for this message.
    @usableFromInline
    package var start: UInt32
    @usableFromInline
    package var count: UInt32

    package static let empty = ByteRange(start: 0, count: 0)

    @inlinable
    package init(start: UInt32, count: UInt32) {
        self.start = start
        self.count = count
    }

    /// From `lower` to `upper` exclusive. Both fit 32 bits because every limit does (`HTTPLimits`).
    @inlinable
    package init(_ lower: Int, _ upper: Int) {
        self.init(start: UInt32(lower), count: UInt32(upper &- lower))
    }

    /// Offset of the first byte behind the range.
    @inlinable
    package var end: Int { Int(start) &+ Int(count) }

    @inlinable
    package var isEmpty: Bool { count == 0 }

    /// For `span.extracting(range.bounds)`.
    @inlinable
    package var bounds: Range<Int> { Int(start)..<end }
}
