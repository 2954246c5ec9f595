// SPDX-License-Identifier: Apache-2.0
// A metric whose value the caller has read elsewhere: process usage, worker counts, settings.

/// One number for /metrics that does not live in a shard.
package struct MetricSample: Sendable, Equatable {
    /// How the number behaves.
    package enum Kind: String, Sendable {
        /// Only grows, but for restarts. Its name ends in `_total`.
        case counter

        /// Goes up and down.
        case gauge
    }

    package let name: String
    package let help: String
    package let kind: Kind
    package let labels: [MetricLabel]
    package let value: Double

    /// Creates a sample. Samples of one family are passed one after the other, with the same help and kind.
    package init(_ name: String, _ help: String, kind: Kind, labels: [MetricLabel] = [], value: Double) {
        self.name = name
        self.help = help
        self.kind = kind
        self.labels = labels
        self.value = value
    }
}
