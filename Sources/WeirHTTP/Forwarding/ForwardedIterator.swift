// SPDX-License-Identifier: Apache-2.0
// Forwarded (RFC 7239), read from its end: what the nearest proxy wrote comes first.

/// Walks over one Forwarded value from right to left. Holds offsets only; the bytes are the caller's.
///
/// Several lines form one list: begin with the last line. A value that is right is cut at the same commas as from the
/// left. In one that is not, a proxy's own element stays readable whatever a client sent before it: an unfinished quote
/// ends nothing but the walk.
package struct ForwardedIterator: Sendable {
    /// What comes next to the left.
    package enum Step: Equatable, Sendable {
        case element(ForwardedElement)
        /// Bytes that are no element, or an element with a repeated parameter. Nothing to the left of them can be
        /// relied on, and the walk ends.
        case malformed
    }

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
    package mutating func next(_ bytes: Span<UInt8>) -> Step? {
        while end > start {
            guard var lower = elementStart(bytes) else { return fail() }
            var upper = end
            end = max(lower &- 1, start)
            while lower < upper, FieldLine.isWhitespace(bytes[lower]) { lower &+= 1 }
            while upper > lower, FieldLine.isWhitespace(bytes[upper &- 1]) { upper &-= 1 }
            if lower == upper { continue }
            guard let element = Self.element(bytes, from: lower, to: upper) else { return fail() }
            return .element(element)
        }
        return nil
    }

    private mutating func fail() -> Step {
        end = start
        return .malformed
    }

    /// Where the element that ends at `end` begins: behind the next comma to the left that is in no quoted string.
    private func elementStart(_ bytes: Span<UInt8>) -> Int? {
        var index = end
        while index > start {
            let byte = bytes[index &- 1]
            if byte == ByteScan.comma { return index }
            index &-= 1
            if byte == Self.quote {
                guard let open = openingQuote(bytes, before: index) else { return nil }
                index = open
            }
        }
        return start
    }

    /// The quote that opens the string which the quote at `close` ends: the nearest that no backslash escapes. A string
    /// follows a `=`, so a run of backslashes before one of its quotes is wholly inside.
    private func openingQuote(_ bytes: Span<UInt8>, before close: Int) -> Int? {
        var index = close
        while index > start {
            index &-= 1
            guard bytes[index] == Self.quote else { continue }
            var runStart = index
            while runStart > start, bytes[runStart &- 1] == Self.backslash { runStart &-= 1 }
            if (index &- runStart) & 1 == 0 { return index }
            index = runStart
        }
        return nil
    }

    /// `[ forwarded-pair ] *( ";" [ forwarded-pair ] )`, which is all of `start..<end`.
    ///
    /// Blanks around semicolons are passed over, although the grammar has none: senders write them.
    private static func element(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> ForwardedElement? {
        var element = ForwardedElement()
        var index = start
        while true {
            while index < end, FieldLine.isWhitespace(bytes[index]) { index &+= 1 }
            if index < end, bytes[index] != ByteScan.semicolon {
                let nameStart = index
                while index < end, ByteClass.contains(ByteClass.token, bytes[index]) { index &+= 1 }
                let name = ByteRange(nameStart, index)
                guard index < end, !name.isEmpty, bytes[index] == UInt8(ascii: "=") else { return nil }
                guard let value = value(bytes, from: index &+ 1, to: end) else { return nil }
                guard take(bytes, name, value, into: &element) else { return nil }
                index = value.end
                while index < end, FieldLine.isWhitespace(bytes[index]) { index &+= 1 }
            }
            if index == end { return element }
            guard bytes[index] == ByteScan.semicolon else { return nil }
            index &+= 1
        }
    }

    private struct Value {
        /// Without quotes.
        var text: ByteRange
        /// Whether the text has a quoted-pair. No address, scheme or host needs one, so such a value is not used.
        var hasEscape = false
        /// Behind the closing quote.
        var end: Int
    }

    /// `token / quoted-string` at `start` (RFC 9110 section 5.6.4).
    private static func value(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Value? {
        var index = start
        guard index < end, bytes[index] == quote else {
            while index < end, ByteClass.contains(ByteClass.token, bytes[index]) { index &+= 1 }
            return index > start ? Value(text: ByteRange(start, index), end: index) : nil
        }
        index &+= 1
        var hasEscape = false
        while index < end, bytes[index] != quote {
            if bytes[index] == backslash {
                hasEscape = true
                index &+= 1
                guard index < end else { return nil }
            }
            guard ByteClass.contains(ByteClass.fieldValue, bytes[index]) else { return nil }
            index &+= 1
        }
        guard index < end else { return nil }
        return Value(text: ByteRange(start &+ 1, index), hasEscape: hasEscape, end: index &+ 1)
    }

    /// Notes a parameter; false if it was there before (section 4: "MUST NOT occur more than once"). Others than the
    /// four are passed over (section 5.5).
    private static func take(
        _ bytes: Span<UInt8>,
        _ name: ByteRange,
        _ value: Value,
        into element: inout ForwardedElement
    ) -> Bool {
        let start = Int(name.start)
        let count = Int(name.count)
        if ByteScan.tokenMatches(bytes, start, count, "for") {
            guard element.source == nil else { return false }
            element.source = node(bytes, value)
        } else if ByteScan.tokenMatches(bytes, start, count, "by") {
            guard element.by == nil else { return false }
            element.by = node(bytes, value)
        } else if ByteScan.tokenMatches(bytes, start, count, "proto") {
            guard element.proto == nil else { return false }
            element.proto = value.hasEscape ? .empty : value.text
        } else if ByteScan.tokenMatches(bytes, start, count, "host") {
            guard element.host == nil else { return false }
            element.host = value.hasEscape ? .empty : value.text
        }
        return true
    }

    private static func node(_ bytes: Span<UInt8>, _ value: Value) -> ForwardedNode {
        if value.hasEscape { return .invalid(value.text) }
        return ForwardedNode.parse(bytes, from: Int(value.text.start), to: value.text.end, bareIPv6: false)
    }

    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")
}
