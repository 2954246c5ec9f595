// SPDX-License-Identifier: Apache-2.0
// The endpoints that a request has tried already. A value of the request's own.

/// Indices of a table's endpoints, the latest few.
package struct TriedEndpoints: Sendable {
    /// Of more the oldest is forgotten: a retry may go there again.
    package static let countMax = 8

    private var indices = InlineArray<8, UInt16>(repeating: .max)
    private var insertions = 0

    package init() {}

    @inline(__always)
    package var isEmpty: Bool { insertions == 0 }

    package mutating func insert(_ index: Int) {
        indices[insertions % Self.countMax] = UInt16(index)
        insertions += 1
    }

    /// No table has an endpoint of the number that empty places hold.
    @inline(__always)
    package func contains(_ index: Int) -> Bool {
        guard !isEmpty else { return false }
        for place in 0..<Self.countMax where Int(indices[place]) == index { return true }
        return false
    }

    /// Those that are remembered.
    package var all: some Sequence<Int> {
        (0..<min(insertions, Self.countMax)).lazy.map { [indices] in Int(indices[$0]) }
    }
}
