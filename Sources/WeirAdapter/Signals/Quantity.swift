// SPDX-License-Identifier: Apache-2.0
// Numbers as Kubernetes writes them. Pure.

/// A number to the thousandth, in the canonical form of `resource.Quantity`: `3`, `850m`, `1500m`.
package struct Quantity: Sendable, Equatable, CustomStringConvertible {
    /// The largest, in thousandths: what a quantity holds without an exponent.
    private static let thousandthsMax = 1e18

    package let thousandths: Int64

    /// Rounds to the nearest thousandth; nil for what is no number, or below zero: no signal of a pod is. What is beyond
    /// the largest is the largest, also a sum that is beyond what a `Double` holds.
    package init?(_ value: Double) {
        guard value >= 0 else { return nil }
        thousandths = Int64(min(value * 1000, Self.thousandthsMax).rounded())
    }

    package var description: String {
        thousandths % 1000 == 0 ? "\(thousandths / 1000)" : "\(thousandths)m"
    }
}
