// SPDX-License-Identifier: Apache-2.0
// The baseline of one version, as it is kept in a file. A value; whoever has the file encodes, decodes and writes it.

/// What was usual for a version of the service.
package struct Baseline: Codable, Equatable, Sendable {
    /// The number of the file's form: another one is not read.
    package static let formatKnown = 1
    /// The most routes, and the most upstreams.
    package static let entriesMax = 4096

    package struct Route: Codable, Equatable, Sendable {
        package var latencyP50Seconds: Double
        package var latencyP95Seconds: Double
        package var queueP95Seconds: Double

        package init(latencyP50Seconds: Double, latencyP95Seconds: Double, queueP95Seconds: Double) {
            self.latencyP50Seconds = latencyP50Seconds
            self.latencyP95Seconds = latencyP95Seconds
            self.queueP95Seconds = queueP95Seconds
        }

        enum CodingKeys: String, CodingKey {
            case latencyP50Seconds = "latency_p50_seconds"
            case latencyP95Seconds = "latency_p95_seconds"
            case queueP95Seconds = "queue_p95_seconds"
        }
    }

    package struct Upstream: Codable, Equatable, Sendable {
        /// The share of requests that failed.
        package var errorRate: Double

        package init(errorRate: Double) { self.errorRate = errorRate }

        enum CodingKeys: String, CodingKey {
            case errorRate = "error_rate"
        }
    }

    package var format = Self.formatKnown
    /// The version of the service that it was taken from.
    package var version: String
    /// Bytes a second.
    package var memoryGrowth: Double?
    /// The share of the time in which the machine ran others though there was work here.
    package var cpuSteal: Double?
    package var routes: [String: Route]
    package var upstreams: [String: Upstream]

    package init(
        version: String,
        memoryGrowth: Double? = nil,
        cpuSteal: Double? = nil,
        routes: [String: Route] = [:],
        upstreams: [String: Upstream] = [:]
    ) {
        self.version = version
        self.memoryGrowth = memoryGrowth
        self.cpuSteal = cpuSteal
        self.routes = routes
        self.upstreams = upstreams
    }

    enum CodingKeys: String, CodingKey {
        case format
        case version
        case memoryGrowth = "memory_growth_bytes_per_second"
        case cpuSteal = "cpu_steal"
        case routes
        case upstreams
    }

    /// What the guard of a route compares with: nothing for a route that is not known, which is learnt first.
    package func guardValues(route: String) -> GuardValues {
        guard let route = routes[route] else { return GuardValues() }
        return GuardValues(
            latencyP95: Nanoseconds(route.latencyP95Seconds * 1e9),
            queueP95: Nanoseconds(route.queueP95Seconds * 1e9),
            memoryGrowth: memoryGrowth
        )
    }

    // MARK: Validation

    /// Checks what was read before it is used.
    package func validate() throws(BaselineError) {
        guard format == Self.formatKnown else { throw .format(format) }
        guard !version.isEmpty else { throw .noVersion }
        guard routes.count <= Self.entriesMax else { throw .tooMany("routes", routes.count) }
        guard upstreams.count <= Self.entriesMax else { throw .tooMany("upstreams", upstreams.count) }
        if let memoryGrowth {
            try check(memoryGrowth, "memory_growth_bytes_per_second", -Self.bytesMax...Self.bytesMax)
        }
        if let cpuSteal { try check(cpuSteal, "cpu_steal", 0...1) }
        // Sorted, so that the same file gives the same message.
        for (name, route) in routes.sorted(by: { $0.key < $1.key }) {
            try check(route, "routes[\(name.debugDescription)]")
        }
        for (name, upstream) in upstreams.sorted(by: { $0.key < $1.key }) {
            try check(upstream.errorRate, "upstreams[\(name.debugDescription)].error_rate", 0...1)
        }
    }

    /// An hour: what takes longer is no response time.
    private static let secondsMax = 3600.0
    private static let bytesMax = 1e12

    private func check(_ route: Route, _ path: String) throws(BaselineError) {
        try check(route.latencyP50Seconds, "\(path).latency_p50_seconds", 0...Self.secondsMax)
        try check(route.latencyP95Seconds, "\(path).latency_p95_seconds", 0...Self.secondsMax)
        try check(route.queueP95Seconds, "\(path).queue_p95_seconds", 0...Self.secondsMax)
        guard route.latencyP50Seconds <= route.latencyP95Seconds else {
            throw .order(path, route.latencyP50Seconds, route.latencyP95Seconds)
        }
    }

    private func check(_ value: Double, _ path: String, _ range: ClosedRange<Double>) throws(BaselineError) {
        guard range.contains(value) else { throw .range(path, value, range) }
    }
}
