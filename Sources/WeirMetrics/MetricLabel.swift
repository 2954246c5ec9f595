// SPDX-License-Identifier: Apache-2.0
// A label of a metric.

/// A label's name and value. Values are escaped when they are written.
package struct MetricLabel: Sendable, Hashable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}
