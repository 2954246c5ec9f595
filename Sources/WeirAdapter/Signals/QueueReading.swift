// SPDX-License-Identifier: Apache-2.0
// What a pod's admin port answers to GET /queue: JSON to numbers. Pure.

import FoundationEssentials

/// The signals of a pod at one instant.
package struct QueueReading: Sendable, Equatable, Decodable {
    /// The largest answer that is taken: a pod with a hundred pools has a third of it.
    package static let bytesMax = 256 << 10
    /// The largest number that is taken: a counter that grows by thousands of millions a second has it after years. So sums
    /// and products of those of all pods are numbers, too.
    package static let numberMax = 1e18

    package var utilization: Double
    package var offeredLoad: Double
    package var executing: Double
    package var queued: Double
    package var concurrencyLimit: Double
    package var queueLimit: Double
    package var queuedPeak: Double
    package var oldestSeconds: Double
    package var queueSeconds: Double
    package var executionSeconds: Double
    package var arrived: Double
    package var rejected: Double
    package var streams: Double

    enum CodingKeys: String, CodingKey {
        case utilization
        case offeredLoad = "offered_load"
        case executing
        case queued
        case concurrencyLimit = "concurrency_limit"
        case queueLimit = "queue_limit"
        case queuedPeak = "queued_peak"
        case oldestSeconds = "oldest_seconds"
        case queueSeconds = "queue_seconds_total"
        case executionSeconds = "execution_seconds_total"
        case arrived = "arrived_total"
        case rejected = "rejected_total"
        case streams = "streams_active"
    }

    /// Nil where the bytes are no such answer, or a number of it is none that a pod can have.
    package init?(parsing bytes: [UInt8]) {
        guard bytes.count <= Self.bytesMax,
            let read = try? JSONDecoder().decode(QueueReading.self, from: Data(bytes)),
            read.all.allSatisfy({ (0...Self.numberMax).contains($0) })
        else { return nil }
        self = read
    }

    private var all: [Double] {
        [
            utilization, offeredLoad, executing, queued, concurrencyLimit, queueLimit, queuedPeak, oldestSeconds,
            queueSeconds, executionSeconds, arrived, rejected, streams,
        ]
    }

    /// Whether the pod cannot have been at `self` and then at `later`: it has begun anew meanwhile.
    func isAhead(of later: QueueReading) -> Bool {
        queueSeconds > later.queueSeconds || executionSeconds > later.executionSeconds || arrived > later.arrived
    }
}
