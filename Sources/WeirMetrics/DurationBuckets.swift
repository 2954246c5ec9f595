// SPDX-License-Identifier: Apache-2.0
// The buckets of request durations: the bounds that OpenTelemetry recommends for HTTP, and two below for fast services.

/// The upper bounds of the duration buckets.
enum DurationBuckets {
    /// The number of buckets with an upper bound; one more takes the rest.
    static let boundCount = 16

    /// The upper bounds in nanoseconds, inclusive, ascending.
    static let bounds: InlineArray<16, UInt64> = [
        1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 75_000_000, 100_000_000,
        250_000_000, 500_000_000, 750_000_000, 1_000_000_000, 2_500_000_000, 5_000_000_000, 7_500_000_000,
        10_000_000_000,
    ]

    /// The same bounds as they stand in the label `le`, in seconds, and the bucket without a bound.
    static let labels = [
        "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75", "1", "2.5", "5",
        "7.5", "10", "+Inf",
    ]

    /// The first bucket whose bound is not below the duration; `boundCount` for longer ones.
    ///
    /// From the bottom: most requests end in the first buckets, so this is a compare or two.
    static func index(_ nanoseconds: UInt64) -> Int {
        var index = 0
        while index < boundCount && nanoseconds > bounds[index] { index &+= 1 }
        return index
    }
}
