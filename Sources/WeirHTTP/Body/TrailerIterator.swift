// SPDX-License-Identifier: Apache-2.0
// The fields of a trailer section that the chunked decoder has checked.

/// Walks over trailer fields. Holds offsets only; the bytes are the caller's.
package struct TrailerIterator: Sendable {
    private var position: Int
    private let end: Int

    /// `section` is the range of `ChunkedStep.end`.
    package init(_ section: ByteRange) {
        position = Int(section.start)
        end = section.end
    }

    /// The next field, or nil. `bytes` is what the decoder was given when it answered `.end`; the ranges count from
    /// its front.
    package mutating func next(_ bytes: Span<UInt8>) -> HeaderField? {
        guard position < end else { return nil }
        let lineFeed = ByteScan.firstLineFeed(in: bytes, from: position, to: end)
        // The section is whole lines that the decoder accepted; anything else is a wrong range or buffer.
        precondition(lineFeed > position, "not the bytes of the trailer section")
        guard case .field(let field) = FieldLine.parse(bytes, from: position, to: lineFeed &- 1) else {
            preconditionFailure("not the bytes of the trailer section")
        }
        position = lineFeed &+ 1
        return field
    }
}
