// SPDX-License-Identifier: Apache-2.0
// Figures of a limiter for the metrics. The thread that scrapes.

/// How full the memory of a keyed limit is. All 0 for a limit without key, but for `entriesInUse`, 1 while it limits.
package struct LimiterUsage: Equatable, Sendable {
    package var tableBytes = 0
    package var entriesMax = 0
    /// Keys that do not have their full quota back. At `entriesMax` strangers share what is left of others. Estimated
    /// from `entriesRead` where these are fewer.
    package var entriesInUse = 0
    package var entriesRead = 0
    /// Since the start: keys that were replaced before they had their full quota back.
    package var evictions: UInt64 = 0
}

extension Limiter {
    /// - Complexity: Reads the table, but no more than 1 MiB of it: a scrape must not wait for gigabytes. That is exact
    ///   up to the default size, and within 1 % of the table beyond.
    package func usage(now: Nanoseconds) -> LimiterUsage {
        let time = ticks(now)
        guard isKeyed else { return LimiterUsage(entriesInUse: rule.isIdle(lone.load(), time: time) ? 0 : 1) }
        var usage = LimiterUsage(
            tableBytes: table.bucketCount * KeyTable.bucketBytes,
            entriesMax: table.bucketCount * KeyTable.slotsPerBucket,
            evictions: evictions.load()
        )
        for offset in table.sampleOffsets {
            usage.entriesRead += 1
            if !rule.isIdle(table.entry(at: offset).word, time: time) { usage.entriesInUse += 1 }
        }
        usage.entriesInUse = usage.entriesInUse * table.bucketCount / table.sampleBucketCount
        return usage
    }
}
