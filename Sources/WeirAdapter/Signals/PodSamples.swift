// SPDX-License-Identifier: Apache-2.0
// What one pod has answered within the window. A value; time is a parameter.

package import WeirEventLoop

/// A reading, and when it came.
package struct PodSample: Sendable, Equatable {
    package var reading: QueueReading
    /// On our clock.
    package var instant: Nanoseconds
    /// Unix time.
    package var second: Int64

    package init(_ reading: QueueReading, at instant: Nanoseconds, second: Int64) {
        self.reading = reading
        self.instant = instant
        self.second = second
    }
}

/// A value of a pod, as it is answered.
package struct PodValue: Sendable, Equatable {
    package var value: Double
    /// Unix time of the newest reading.
    package var second: Int64
    /// Over how many seconds; nil for what is as it was told.
    package var windowSeconds: Int64?
    /// How much the pod counts among others.
    package var limit: Double
}

/// Readings of one pod, oldest first: the newest, and as many before it as the window's mean needs.
package struct PodSamples: Sendable, Equatable {
    /// The most readings that are kept: of those that come closer, every second one goes.
    package static let countMax = 34
    private static let parts: Nanoseconds = 32

    private var samples: [PodSample] = []

    package init() {}

    package var newest: PodSample? { samples.last }

    /// How many readings are kept.
    package var count: Int { samples.count }

    /// Takes a reading; those that the window no longer needs go.
    package mutating func add(_ sample: PodSample, window: Nanoseconds) {
        if let last = samples.last, last.reading.isAhead(of: sample.reading) { samples = [] }
        // The last but one is the neighbour of what comes: the last is only ever the newest.
        if samples.count > 1, sample.instant &- samples[samples.count - 2].instant < window / Self.parts {
            samples[samples.count - 1] = sample
        } else {
            samples.append(sample)
        }
        while samples.count > 2, sample.instant &- samples[1].instant >= window { samples.removeFirst() }
        while samples.count > Self.countMax { samples.removeFirst() }
    }

    /// The value of a signal; nil where there is no reading that is fresh, or not enough of them.
    package func value(of signal: PodSignal, now: Nanoseconds, ageMax: Nanoseconds) -> PodValue? {
        guard let newest = samples.last, now < newest.instant &+ ageMax, let oldest = samples.first else { return nil }
        let reading = newest.reading
        let span = Double(newest.instant &- oldest.instant) / 1e9
        func value(_ number: Double, window: Int64? = nil) -> PodValue {
            PodValue(value: number, second: newest.second, windowSeconds: window, limit: reading.concurrencyLimit)
        }
        func growth(_ path: KeyPath<QueueReading, Double>) -> PodValue? {
            guard span > 0 else { return nil }
            let grown = reading[keyPath: path] - oldest.reading[keyPath: path]
            return value(max(0, grown) / span, window: max(1, Int64(span.rounded())))
        }
        switch signal.origin {
        case .newest(let path): return value(reading[keyPath: path])
        case .mean(let integral, let gauge): return growth(integral) ?? value(reading[keyPath: gauge])
        case .rate(let counter): return growth(counter)
        }
    }
}
