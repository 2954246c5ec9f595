// SPDX-License-Identifier: Apache-2.0
// How much a request matters, and how a field says it. Pure.

/// How much a request matters. Where the queue is full the lowest class is shed first.
package enum Priority: UInt8, CaseIterable, Sendable {
    case critical
    case `default`
    case sheddable

    /// The class that a field's value names, in any case; nil for anything else. Does not allocate.
    package init?(field: Span<UInt8>) {
        if Self.isSame(field, "critical") {
            self = .critical
        } else if Self.isSame(field, "default") {
            self = .default
        } else if Self.isSame(field, "sheddable") {
            self = .sheddable
        } else {
            return nil
        }
    }

    /// - Parameter name: lower-case letters.
    private static func isSame(_ field: Span<UInt8>, _ name: StaticString) -> Bool {
        guard field.count == name.utf8CodeUnitCount else { return false }
        for index in field.indices {
            // In bounds: both are of one length. The bit of the case makes no other byte a letter.
            guard unsafe name.utf8Start[index] == field[index] | 0x20 else { return false }
        }
        return true
    }
}
