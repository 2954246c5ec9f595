// SPDX-License-Identifier: Apache-2.0
// What a route did in one window, and how windows are cut from counts that only grow. Owned by the thread that judges.

/// What is watched.
package enum GuardSignal: String, CaseIterable, Sendable {
    case latency
    case queue
    case memory
}

/// What stands at an instant: counts since the start, and the memory in use.
package struct GuardReadings: Sendable {
    package var latency: LatencyCounts
    /// The time in the queue of every request, those that did not wait included.
    package var queue: LatencyCounts
    /// Of the whole process; nil where it cannot be read.
    package var memoryBytes: UInt64?

    package init(latency: LatencyCounts, queue: LatencyCounts, memoryBytes: UInt64?) {
        self.latency = latency
        self.queue = queue
        self.memoryBytes = memoryBytes
    }
}

/// A value of each signal, of a window or of a baseline; nil where there is none.
package struct GuardValues: Equatable, Sendable {
    package var latencyP95: Nanoseconds?
    package var queueP95: Nanoseconds?
    /// Bytes a second; negative where memory was given back.
    package var memoryGrowth: Double?

    package init(latencyP95: Nanoseconds? = nil, queueP95: Nanoseconds? = nil, memoryGrowth: Double? = nil) {
        self.latencyP95 = latencyP95
        self.queueP95 = queueP95
        self.memoryGrowth = memoryGrowth
    }

    /// These, and those of `other` where there are none.
    package func filled(by other: GuardValues) -> GuardValues {
        GuardValues(
            latencyP95: latencyP95 ?? other.latencyP95,
            queueP95: queueP95 ?? other.queueP95,
            memoryGrowth: memoryGrowth ?? other.memoryGrowth
        )
    }

    /// Nanoseconds, or bytes a second.
    package subscript(_ signal: GuardSignal) -> Double? {
        switch signal {
        case .latency: latencyP95.map { Double($0) }
        case .queue: queueP95.map { Double($0) }
        case .memory: memoryGrowth
        }
    }
}

/// One window of a route.
package struct GuardWindow: Equatable, Sendable {
    package var requests: UInt64
    package var latencyP50: Nanoseconds?
    package var values: GuardValues

    package init(requests: UInt64, latencyP50: Nanoseconds? = nil, values: GuardValues = GuardValues()) {
        self.requests = requests
        self.latencyP50 = latencyP50
        self.values = values
    }
}

/// Cuts windows of a length, one after the other.
package struct GuardWindows: Sendable {
    private let length: Nanoseconds
    private var start: (readings: GuardReadings, instant: Nanoseconds)?

    package init(length: Nanoseconds) {
        precondition(length > 0, "a window has some length")
        self.length = length
    }

    /// Whether ``cut(_:now:)`` has something to do: readings cost more than this.
    package func isDue(at now: Nanoseconds) -> Bool {
        guard let start else { return true }
        return now >= start.instant + length
    }

    /// The window that has just ended; nil while it has not. One that is asked for late is longer by that.
    package mutating func cut(_ readings: GuardReadings, now: Nanoseconds) -> GuardWindow? {
        guard let start else {
            self.start = (readings, now)
            return nil
        }
        guard isDue(at: now) else { return nil }
        self.start = (readings, now)
        let latency = readings.latency - start.readings.latency
        var growth: Double?
        if let later = readings.memoryBytes, let earlier = start.readings.memoryBytes {
            growth = (Double(later) - Double(earlier)) * 1e9 / Double(now - start.instant)
        }
        return GuardWindow(
            requests: latency.total,
            latencyP50: latency.percentile(0.5),
            values: GuardValues(
                latencyP95: latency.percentile(0.95),
                queueP95: (readings.queue - start.readings.queue).percentile(0.95),
                memoryGrowth: growth
            )
        )
    }
}
