// SPDX-License-Identifier: Apache-2.0
// Sets of known field names: one word.

/// Some of the `HeaderName`s, a bit for each.
package struct HeaderNameSet: Equatable, Sendable {
    package private(set) var bits: UInt64 = 0

    package init() {}

    package init(_ names: HeaderName...) {
        for name in names { insert(name) }
    }

    @inline(__always)
    package func contains(_ name: HeaderName) -> Bool {
        bits & Self.bit(name) != 0
    }

    @inline(__always)
    package mutating func insert(_ name: HeaderName) {
        bits |= Self.bit(name)
    }

    @inline(__always)
    package func union(_ other: HeaderNameSet) -> HeaderNameSet {
        var union = self
        union.bits |= other.bits
        return union
    }

    @inline(__always)
    package func isDisjoint(with other: HeaderNameSet) -> Bool {
        bits & other.bits == 0
    }

    @inline(__always)
    private static func bit(_ name: HeaderName) -> UInt64 {
        1 &<< UInt64(name.rawValue)
    }
}
