// SPDX-License-Identifier: Apache-2.0
// Cuts windows of the whole process: memory, time without a CPU, failures of upstreams. Confined to the flow monitor's
// thread; time is a parameter.

import WeirEventLoop
import WeirFlow
import WeirHost
import WeirUpstream

/// What was read when the window began.
struct ServiceLooks {
    private struct Readings {
        let instant: Nanoseconds
        let memoryBytes: Int?
        let running: UInt64
        let waiting: UInt64
        let outcomes: [ObjectIdentifier: EndpointReading]
    }

    private struct EndpointReading {
        // Kept, so that nobody else gets its identity before the next look.
        let endpoint: Endpoint
        let counts: OutcomeCounts
    }

    /// How long a window is where no guard says another length.
    static let window: Nanoseconds = 15_000_000_000
    /// Less work in a window says nothing of how long it waits for a CPU.
    private static let busyMin: UInt64 = 10_000_000

    private let server: HTTPServer
    private var start: Readings?

    init(_ server: HTTPServer) {
        self.server = server
    }

    /// The window that has just ended; nil while it has not.
    ///
    /// - Parameter window: how long it is at least.
    mutating func look(now: Nanoseconds, window: Nanoseconds = Self.window) -> ServiceWindow? {
        if let start, now < start.instant + window { return nil }
        let upstreams = server.snapshot.upstreams
        let readings = read(upstreams, now: now)
        defer { start = readings }
        return start.map { Self.window(from: $0, to: readings, upstreams) }
    }

    private func read(_ upstreams: [Upstream], now: Nanoseconds) -> Readings {
        let schedules = server.loops.compactMap { ThreadSchedule.read(thread: $0.threadID) }
        var outcomes: [ObjectIdentifier: EndpointReading] = [:]
        for endpoint in upstreams.flatMap(\.endpoints) {
            outcomes[ObjectIdentifier(endpoint)] = EndpointReading(endpoint: endpoint, counts: endpoint.outcomes.counts)
        }
        return Readings(
            instant: now,
            memoryBytes: ProcessUsage.read().residentBytes,
            running: schedules.reduce(0) { $0 &+ $1.running },
            waiting: schedules.reduce(0) { $0 &+ $1.waiting },
            outcomes: outcomes
        )
    }

    private static func window(from start: Readings, to end: Readings, _ upstreams: [Upstream]) -> ServiceWindow {
        var window = ServiceWindow()
        if let earlier = start.memoryBytes, let later = end.memoryBytes {
            window.memoryGrowth = Double(later - earlier) * 1e9 / Double(end.instant - start.instant)
        }
        // A loop that has ended takes its time with it.
        if end.running >= start.running, end.waiting >= start.waiting {
            let (running, waiting) = (end.running - start.running, end.waiting - start.waiting)
            if running + waiting >= busyMin { window.cpuSteal = Double(waiting) / Double(running + waiting) }
        }
        for upstream in upstreams {
            var sum = ServiceWindow.Upstream(requests: 0, failures: 0)
            for endpoint in upstream.endpoints {
                // One that has come since has no earlier count.
                let identity = ObjectIdentifier(endpoint)
                guard let earlier = start.outcomes[identity], let later = end.outcomes[identity] else { continue }
                let came = later.counts - earlier.counts
                sum.requests += came.answered + came.failed
                sum.failures += came.failed
            }
            window.upstreams[upstream.name] = sum
        }
        return window
    }
}
