// SPDX-License-Identifier: Apache-2.0
// What is usual, learnt from windows. Owned by the thread that judges. Pure.

/// The median of values that came over any length of time, from a sample of them in fixed memory.
///
/// Each value is as likely to be in the sample as any other (Vitter's algorithm R), so a bad quarter of an hour does not
/// push the good hours before it out. Once there are enough, a value far above the median is not taken in at all: what
/// goes wrong must not become what is usual. Below that the median itself bears that nearly half of the values are bad.
package struct BaselineSamples: Sendable {
    /// How many values are kept, and from how many on they tell something: 24 and 5 minutes of windows.
    package static let capacity = 96
    package static let enough = 20

    /// How far above the median a value may be, and what of the median counts at least.
    private let ratio: Double
    private let least: Double
    private var values: [Double] = []
    private var takenCount: UInt64 = 0

    package init(ratio: Double, least: Double) {
        self.ratio = ratio
        self.least = least
        values.reserveCapacity(Self.capacity)
    }

    /// Nil while too little is known.
    package var median: Double? {
        guard values.count >= Self.enough else { return nil }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// Answers whether the value was taken in.
    @discardableResult
    package mutating func add(_ value: Double, using random: inout some RandomNumberGenerator) -> Bool {
        if let median, value > max(median, least) * ratio { return false }
        takenCount += 1
        if values.count < Self.capacity {
            values.append(value)
        } else {
            let place = UInt64.random(in: 0..<takenCount, using: &random)
            if place < UInt64(Self.capacity) { values[Int(place)] = value }
        }
        return true
    }
}

/// Learns the baseline of one route from its windows.
package struct BaselineLearner: Sendable {
    /// Windows at the start that are not looked at: caches are cold then, and connections are made.
    package static let warmupWindows = 2

    private let requestsMin: UInt64
    private var windowCount = 0
    private var latencyP50: BaselineSamples
    private var latencyP95: BaselineSamples
    private var queueP95: BaselineSamples
    private var memoryGrowth: BaselineSamples

    package init(policy: GuardPolicy = GuardPolicy()) {
        requestsMin = policy.requestsMin
        func samples(_ signal: GuardSignal) -> BaselineSamples {
            BaselineSamples(ratio: policy.ratio, least: policy.least(signal))
        }
        latencyP50 = samples(.latency)
        latencyP95 = samples(.latency)
        queueP95 = samples(.queue)
        memoryGrowth = samples(.memory)
    }

    /// Takes in a window, unless the route was degraded in it or it says too little.
    package mutating func add(
        _ window: GuardWindow,
        isDegraded: Bool,
        using random: inout some RandomNumberGenerator
    ) {
        guard !isDegraded, window.requests >= requestsMin else { return }
        windowCount += 1
        guard windowCount > Self.warmupWindows else { return }
        if let value = window.latencyP50 { latencyP50.add(Double(value), using: &random) }
        if let value = window.values.latencyP95 { latencyP95.add(Double(value), using: &random) }
        if let value = window.values.queueP95 { queueP95.add(Double(value), using: &random) }
        if let value = window.values.memoryGrowth { memoryGrowth.add(value, using: &random) }
    }

    /// What the guard compares with, as far as it is known.
    package var baseline: GuardValues {
        GuardValues(
            latencyP95: latencyP95.median.map { Nanoseconds($0) },
            queueP95: queueP95.median.map { Nanoseconds($0) },
            memoryGrowth: memoryGrowth.median
        )
    }

    /// The route's part of the file; nil while its latency is not known.
    package var route: Baseline.Route? {
        guard let p50 = latencyP50.median, let p95 = latencyP95.median else { return nil }
        return Baseline.Route(
            latencyP50Seconds: p50 / 1e9,
            latencyP95Seconds: max(p50, p95) / 1e9,
            queueP95Seconds: (queueP95.median ?? 0) / 1e9
        )
    }
}
