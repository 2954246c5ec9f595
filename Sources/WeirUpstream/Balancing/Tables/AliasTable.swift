// SPDX-License-Identifier: Apache-2.0
// Draws in proportion to weights, in constant time. Immutable; owned by the table of endpoints.

/// Walker's alias method as Vose builds it (IEEE Transactions on Software Engineering 17, 1991): as many columns as
/// there are weights, all equally likely, each divided between its own index and one other.
///
/// Built in whole numbers, so shares are exact but for 1/2³² of a column.
package struct AliasTable: ~Copyable, @unchecked Sendable {
    /// Invariant: `count` columns, written before anybody else has the table. So it is Sendable.
    private let columns: UnsafeMutablePointer<Column>
    private let count: UInt64

    private struct Column {
        /// Of 2³²; below it is `own`.
        var threshold: UInt32
        var own: UInt16
        var other: UInt16
    }

    /// - Precondition: `indices` is not empty, and each of them has a weight above 0.
    package init(_ indices: [UInt16], weights: [EffectiveWeight]) {
        precondition(!indices.isEmpty, "something can be drawn")
        count = UInt64(indices.count)
        columns = .allocate(capacity: indices.count)
        // In units of which a column holds `total`.
        var amounts = indices.map { UInt64(weights[Int($0)].units) * UInt64(indices.count) }
        let total = amounts.reduce(0, +) / count
        var (poor, rich): ([Int], [Int]) = ([], [])
        for column in indices.indices {
            precondition(amounts[column] > 0, "what can be drawn has a weight")
            columns[column] = Column(threshold: 0, own: indices[column], other: indices[column])
            if amounts[column] < total { poor.append(column) } else { rich.append(column) }
        }
        // A poor column is filled up by a rich one, which may be poor then. All amounts together fill all columns, so
        // while there is a poor one there is a rich one; a column that is in neither list is full.
        while let column = poor.popLast(), let donor = rich.popLast() {
            columns[column].threshold = Self.fraction(amounts[column], of: total)
            columns[column].other = indices[donor]
            amounts[donor] -= total - amounts[column]
            if amounts[donor] < total { poor.append(donor) } else { rich.append(donor) }
        }
    }

    deinit { columns.deallocate() }

    /// The index that a number stands for; the number is random in all its bits.
    @inline(__always)
    package func draw(_ number: UInt64) -> Int {
        let column = columns[Int(((number &>> 32) &* count) &>> 32)]
        return Int(UInt32(truncatingIfNeeded: number) < column.threshold ? column.own : column.other)
    }

    private static func fraction(_ part: UInt64, of whole: UInt64) -> UInt32 {
        UInt32(whole.dividingFullWidth((high: part >> 32, low: part << 32)).quotient)
    }
}
