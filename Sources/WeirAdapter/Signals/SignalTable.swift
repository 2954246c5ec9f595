// SPDX-License-Identifier: Apache-2.0
// What is known of all pods: who they are, and what they have answered of late. A value; time is a parameter.

package import WeirEventLoop

/// How old and how long what is answered may be.
package struct SignalTiming: Sendable, Equatable {
    /// Over how long means and rates are.
    package var window: Nanoseconds
    /// A pod whose newest reading is older is missing.
    package var ageMax: Nanoseconds

    package init(window: Nanoseconds, ageMax: Nanoseconds) {
        self.window = window
        self.ageMax = ageMax
    }
}

/// Pods with their samples, and the services in front of them.
package struct SignalTable: Sendable {
    package struct Entry: Sendable {
        package var pod: WatchedPod
        package var samples = PodSamples()
        /// Since when it could have answered.
        var knownSince: Nanoseconds
    }

    /// A pod with its value.
    package struct Found: Sendable, Equatable {
        package var name: String
        package var value: PodValue
    }

    /// One value of several pods.
    package struct Combined: Sendable, Equatable {
        package var value: Double
        /// Unix time of the oldest reading that it comes from.
        package var second: Int64
        package var windowSeconds: Int64?
    }

    /// Why there is no value.
    package enum Absence: Error, Equatable {
        /// Nothing that was asked for is there.
        case nobody
        /// There are pods, and none of them has answered of late.
        case allMissing(count: Int)
    }

    package let timing: SignalTiming
    /// By namespace and name.
    package private(set) var entries: [String: Entry] = [:]
    /// The selectors of services by namespace and name.
    package private(set) var services: [String: WatchedService] = [:]

    package init(_ timing: SignalTiming) {
        self.timing = timing
    }

    // MARK: What becomes of the cluster

    /// These are the pods from now on. What one has answered stays its own: another of the same name is another pod.
    package mutating func follow(_ pods: [WatchedPod], now: Nanoseconds) {
        var next: [String: Entry] = [:]
        next.reserveCapacity(pods.count)
        for pod in pods {
            var entry = Entry(pod: pod, knownSince: now)
            if let former = entries[pod.key], former.pod.uid == pod.uid {
                entry.samples = former.samples
                // A pod that was not ready may have had no port to answer on.
                if former.pod.isReady { entry.knownSince = former.knownSince }
            }
            next[pod.key] = entry
        }
        entries = next
    }

    package mutating func follow(_ services: [WatchedService]) {
        self.services = Dictionary(services.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// A pod has answered; nothing of one that is gone.
    package mutating func add(_ sample: PodSample, of key: String, uid: String) {
        guard entries[key]?.pod.uid == uid else { return }
        entries[key]?.samples.add(sample, window: timing.window)
    }

    // MARK: What is asked

    /// The value of each pod that the selector means and that has answered, in the order of their names.
    ///
    /// - Parameter name: of one pod; nil for all of the namespace.
    package func values(
        of signal: PodSignal,
        in namespace: String,
        name: String?,
        _ selector: LabelSelector,
        now: Nanoseconds
    ) throws(Absence) -> [Found] {
        let meant = entries.values.filter { entry in
            entry.pod.namespace == namespace && name.map { $0 == entry.pod.name } ?? true
                && selector.selects(entry.pod.labels)
        }
        guard !meant.isEmpty else { throw .nobody }
        let found = meant.compactMap { entry in
            entry.samples.value(of: signal, now: now, ageMax: timing.ageMax).map { value in
                Found(name: entry.pod.name, value: value)
            }
        }
        guard !found.isEmpty else { throw .allMissing(count: meant.count) }
        return found.sorted { $0.name < $1.name }
    }

    /// The value of a service: of its pods that are ready.
    package func value(
        of signal: PodSignal,
        ofService name: String,
        in namespace: String,
        now: Nanoseconds
    ) throws(Absence) -> Combined {
        guard let service = services["\(namespace)/\(name)"], let selector = service.selector else { throw .nobody }
        return try combined(signal, in: namespace, selector, now: now)
    }

    /// One value of all pods that are ready and that the selector means.
    ///
    /// A pod that has not answered counts in a sum as the others do on average: left out, it would count as zero.
    package func combined(
        _ signal: PodSignal,
        in namespace: String,
        _ selector: LabelSelector,
        now: Nanoseconds
    ) throws(Absence) -> Combined {
        let meant = entries.values.filter { entry in
            entry.pod.isReady && entry.pod.namespace == namespace && selector.selects(entry.pod.labels)
        }
        guard !meant.isEmpty else { throw .nobody }
        let found = meant.compactMap { $0.samples.value(of: signal, now: now, ageMax: timing.ageMax) }
        guard !found.isEmpty else { throw .allMissing(count: meant.count) }
        let value: Double
        switch signal.combination {
        case .sum: value = found.reduce(0) { $0 + $1.value } * Double(meant.count) / Double(found.count)
        case .largest: value = found.reduce(0) { max($0, $1.value) }
        case .meanByLimit:
            let limits = found.reduce(0) { $0 + $1.limit }
            value =
                limits > 0
                ? found.reduce(0) { $0 + $1.value * $1.limit } / limits
                : found.reduce(0) { $0 + $1.value } / Double(found.count)
        }
        return Combined(
            value: value,
            second: found.map(\.second).min() ?? 0,
            windowSeconds: found.compactMap(\.windowSeconds).min()
        )
    }

    // MARK: Who is missing

    /// Pods that are ready, and have not answered of late.
    package func missing(now: Nanoseconds) -> [WatchedPod] {
        entries.values.filter { entry in
            guard entry.pod.isReady else { return false }
            return now >= (entry.samples.newest?.instant ?? entry.knownSince) &+ timing.ageMax
        }.map(\.pod).sorted { $0.key < $1.key }
    }

    /// How many are ready.
    package var readyCount: Int { entries.values.count { $0.pod.isReady } }
}
