// SPDX-License-Identifier: Apache-2.0
// The look-ups of the field section, for those who hold a request's parser.

extension RequestParser {
    // What loops ask is inlined into other modules: a call copies the parser first, some hundred bytes.

    /// How many fields were found so far.
    @inlinable package var fieldCount: Int { fields.count }

    /// A field by its place on the wire, from 0. Traps outside `0..<fieldCount`.
    @inlinable @inline(__always)
    package func field(_ index: Int) -> HeaderField { fields.field(index) }

    /// Whether the head has a field with this name; no search. Not for `.other`.
    package func hasField(_ known: HeaderName) -> Bool { fields.has(known) }
}
