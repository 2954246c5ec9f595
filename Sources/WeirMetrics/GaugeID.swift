// SPDX-License-Identifier: Apache-2.0
// The gauges that every shard has: how much there is now. Names and help for /metrics are in the descriptors.

/// One of the fixed gauges of a ``MetricsShard``. A scrape shows the sum over all shards.
@usableFromInline
package enum GaugeID: UInt8, CaseIterable, Sendable {
    case connectionsOpen
    case bufferBytes
    case tunnelsActive
    case redisConnected
}
