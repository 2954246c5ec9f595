// SPDX-License-Identifier: Apache-2.0
// A field name that is not known when the code is written: a setting chooses it. A plain value, copied into parsers.

/// A name that a parser looks for beside those of `HeaderName`.
package struct ChosenName: Sendable {
    package static let byteCountMax = 64

    /// In lower case; the first `count` count.
    private var bytes = InlineArray<64, UInt8>(repeating: 0)
    package private(set) var count = 0

    /// Nil for what is no field name, or a longer one, and for a name that the engine itself reads, or that could be
    /// taken for one.
    package init?(_ text: String) {
        let name = text.utf8
        guard name.count <= Self.byteCountMax else { return nil }
        for byte in name {
            bytes[count] = ByteScan.lowercase(byte)
            count &+= 1
        }
        guard FieldSyntax.isToken(span), HeaderName.recognise(span, 0, count) == .other else { return nil }
    }

    /// In lower case.
    package var span: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get { bytes.span.extracting(0..<count) }
    }

    /// Whether `name` is this name, in any case.
    package func matches(_ name: Span<UInt8>) -> Bool { matches(name, ByteRange(0, name.count)) }

    /// Whether the token at `range` is this name, in any case.
    func matches(_ bytes: Span<UInt8>, _ range: ByteRange) -> Bool {
        Int(range.count) == count && ByteScan.equalIgnoringCase(bytes, range, self.bytes.span, ByteRange(0, count))
    }
}
