// SPDX-License-Identifier: Apache-2.0
// X-Forwarded-For, read from its end: what the nearest proxy wrote comes first, and what a client may have made up last.

/// Walks over one X-Forwarded-For value from right to left. Holds offsets only; the bytes are the caller's.
///
/// Several lines form one list (RFC 9110 section 5.3): begin with the last line. A comma always separates, quotes or
/// not: no address contains one, and so an opening quote that a client sent cannot swallow what a proxy wrote behind
/// it. Empty elements are passed over (RFC 9110 section 5.6.1.2).
package struct ForwardedForIterator: Sendable {
    private let start: Int
    /// Behind the element that comes next.
    private var end: Int

    /// `value` is the field's value.
    package init(_ value: ByteRange) {
        start = Int(value.start)
        end = value.end
    }

    /// The next element to the left, or nil. `bytes` is what the range counts from.
    ///
    /// - Complexity: linear in the element. Does not allocate.
    package mutating func next(_ bytes: Span<UInt8>) -> ForwardedNode? {
        while end > start {
            var lower = end
            while lower > start, bytes[lower &- 1] != ByteScan.comma { lower &-= 1 }
            var upper = end
            end = max(lower &- 1, start)
            while lower < upper, FieldLine.isWhitespace(bytes[lower]) { lower &+= 1 }
            while upper > lower, FieldLine.isWhitespace(bytes[upper &- 1]) { upper &-= 1 }
            if lower == upper { continue }
            let quote = UInt8(ascii: "\"")
            if upper &- lower >= 2, bytes[lower] == quote, bytes[upper &- 1] == quote {
                lower &+= 1
                upper &-= 1
            }
            return ForwardedNode.parse(bytes, from: lower, to: upper, bareIPv6: true)
        }
        return nil
    }
}
