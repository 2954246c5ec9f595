// SPDX-License-Identifier: Apache-2.0
// What is usual for the whole process, learnt from windows. Owned by the thread that looks. Pure.

/// What the process and its upstreams did in a window; nil where it cannot be told.
package struct ServiceWindow: Equatable, Sendable {
    package struct Upstream: Equatable, Sendable {
        package var requests: Int
        /// Those among them that failed.
        package var failures: Int

        package init(requests: Int, failures: Int) {
            self.requests = requests
            self.failures = failures
        }
    }

    /// Bytes a second.
    package var memoryGrowth: Double?
    /// The share of the time in which the machine ran others though there was work here.
    package var cpuSteal: Double?
    package var upstreams: [String: Upstream]

    package init(memoryGrowth: Double? = nil, cpuSteal: Double? = nil, upstreams: [String: Upstream] = [:]) {
        self.memoryGrowth = memoryGrowth
        self.cpuSteal = cpuSteal
        self.upstreams = upstreams
    }
}

/// Learns what is no route's own.
package struct ServiceLearner: Sendable {
    /// A share of failures of fewer requests says nothing.
    package static let requestsMin = 30

    private var windowCount = 0
    private var memoryGrowth: BaselineSamples
    private var cpuSteal = BaselineSamples(ratio: 2.5, least: 0.05)
    private var errorRates: [String: BaselineSamples] = [:]

    package init(policy: GuardPolicy = GuardPolicy()) {
        memoryGrowth = BaselineSamples(ratio: policy.ratio, least: policy.memoryGrowthLeast)
    }

    /// Takes in a window in which no route was degraded.
    package mutating func add(_ window: ServiceWindow, using random: inout some RandomNumberGenerator) {
        windowCount += 1
        guard windowCount > BaselineLearner.warmupWindows else { return }
        if let value = window.memoryGrowth { memoryGrowth.add(value, using: &random) }
        if let value = window.cpuSteal { cpuSteal.add(value, using: &random) }
        for (name, upstream) in window.upstreams where upstream.requests >= Self.requestsMin {
            guard errorRates.count < Baseline.entriesMax || errorRates[name] != nil else { continue }
            let share = Double(upstream.failures) / Double(upstream.requests)
            errorRates[name, default: BaselineSamples(ratio: 2.5, least: 0.01)].add(share, using: &random)
        }
    }

    /// Has `baseline` say what is known by now; the rest of it stays.
    package func complete(_ baseline: inout Baseline) {
        if let median = memoryGrowth.median { baseline.memoryGrowth = median }
        if let median = cpuSteal.median { baseline.cpuSteal = median }
        for (name, samples) in errorRates {
            if let median = samples.median { baseline.upstreams[name] = Baseline.Upstream(errorRate: median) }
        }
    }
}
