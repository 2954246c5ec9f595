// SPDX-License-Identifier: Apache-2.0
// One field line of a parsed head.

/// Where a field's name and value lie, and which name it is.
@usableFromInline
package struct HeaderField: Equatable, Sendable {
    package var name: ByteRange
    /// Without the whitespace around it; may be empty.
    package var value: ByteRange
    package var known: HeaderName

    package init(name: ByteRange, value: ByteRange, known: HeaderName) {
        self.name = name
        self.value = value
        self.known = known
    }
}
