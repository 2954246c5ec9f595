// SPDX-License-Identifier: Apache-2.0
// What the adapter knows of each pod, by the names of metrics. Pure.

/// A metric of pods.
package enum PodSignal: String, Sendable, CaseIterable {
    case utilization = "weir_utilization_ratio"
    case offeredLoad = "weir_offered_load"
    case executing = "weir_requests_executing"
    case queued = "weir_requests_queued"
    case concurrencyLimit = "weir_concurrency_limit"
    case queueLimit = "weir_queue_limit"
    case queuedPeak = "weir_requests_queued_peak"
    case oldest = "weir_queue_oldest_seconds"
    case streams = "weir_streams_active"
    case arrivals = "weir_requests_arrived_per_second"
    case rejections = "weir_requests_rejected_per_second"

    package typealias Number = any KeyPath<QueueReading, Double> & Sendable

    /// How a pod's value comes from what it answers.
    package enum Origin: Sendable {
        /// As it was told last: a limit, or what the pod itself has over a window.
        case newest(Number)
        /// The mean over the window, from an integral over time: exact, however seldom the pod is asked. Of one reading
        /// the gauge.
        case mean(integral: Number, gauge: Number)
        /// The growth over the window, in a second; nothing of one reading.
        case rate(Number)
    }

    /// How values of several pods become one.
    package enum Combination: Sendable, Equatable {
        case sum
        case largest
        /// The mean, each pod as much as its concurrency limit: the load of all over what all can do.
        case meanByLimit
    }

    package var origin: Origin {
        switch self {
        case .utilization: .newest(\.utilization)
        case .offeredLoad: .newest(\.offeredLoad)
        case .executing: .mean(integral: \.executionSeconds, gauge: \.executing)
        case .queued: .mean(integral: \.queueSeconds, gauge: \.queued)
        case .concurrencyLimit: .newest(\.concurrencyLimit)
        case .queueLimit: .newest(\.queueLimit)
        case .queuedPeak: .newest(\.queuedPeak)
        case .oldest: .newest(\.oldestSeconds)
        case .streams: .newest(\.streams)
        case .arrivals: .rate(\.arrived)
        case .rejections: .rate(\.rejected)
        }
    }

    package var combination: Combination {
        switch self {
        case .utilization: .meanByLimit
        case .queuedPeak, .oldest: .largest
        default: .sum
        }
    }
}
