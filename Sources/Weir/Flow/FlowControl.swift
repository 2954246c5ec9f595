// SPDX-License-Identifier: Apache-2.0
// What a server limits, admits and has waiting: the limiters and pools of its routes. Made at start, shared by all
// loops.

import Synchronization
import WeirEventLoop
import WeirFlow

/// A limit as it was declared; its identity tells it from another of the same figures.
final class DeclaredLimit: Sendable {
    let limit: RateLimit

    init(_ limit: RateLimit) {
        self.limit = limit
    }
}

/// A pool as it was declared; its identity tells it from another of the same figures.
final class DeclaredPool: Sendable {
    /// What its metrics are called; nil for the pattern of the route that meets it first.
    let name: String?
    private let concurrency: Settings.Concurrency
    private let queue: Settings.Count

    init(_ concurrency: Settings.Concurrency, queue: Settings.Count, name: String? = nil) {
        self.concurrency = concurrency
        self.queue = queue
        self.name = name
    }

    /// How many run at once. What `auto` finds is for the pod's own pool; another has what is the default there.
    func limit(cpus: Int) -> Int {
        let count =
            switch concurrency {
            case .exactly(let count): count
            case .perCPU(let count): count * cpus
            case .automatic: Self.perCPUDefault * cpus
            }
        return min(count, Settings.Admission.countMax)
    }

    func queueMax(cpus: Int) -> Int {
        queue.resolved(automatic: min(4 * limit(cpus: cpus), Settings.Admission.countMax))
    }

    private static let perCPUDefault = 256
}

/// The state of all limits and pools of a server.
final class FlowControl: Sendable {
    /// The name of the pool that every route belongs to unless it says otherwise.
    static let podName = "pod"

    let settings: Settings
    /// What no limit may be below: one for each CPU.
    let least: Int
    private let loopCount: Int
    /// How many may run in the pod's pool when the server starts.
    let concurrency: Int
    let pod: AdmissionPool
    /// What the concurrency limit is found from; nil where it is given.
    let samples: LatencySamples?
    /// The field that says a request's class, in lower case; empty for none.
    let priorityHeader: [UInt8]
    let keyHash: KeyHash
    private let madePools: Mutex<[(declared: DeclaredPool?, pool: NamedPool)]>
    private let limits: Mutex<MadeLimits>
    /// How near the pod is to its memory limit: `MemoryPressureLevel`. Relaxed: it publishes nothing.
    private let memory = Atomic<UInt8>(0)
    /// `weir_utilization_ratio`, as the bit pattern of a double. Relaxed: it publishes nothing.
    private let utilizationBits = Atomic<UInt64>(0)

    /// A pool and what its metrics are called.
    struct NamedPool: Sendable {
        let name: String
        let pool: AdmissionPool
    }

    private let global: [DeclaredLimit]

    init(_ settings: Settings, cpus: Int, loops: Int, now: Nanoseconds = LoopClock.monotonic.now) {
        self.settings = settings
        loopCount = loops
        concurrency =
            switch settings.admission.concurrency {
            case .perCPU(let count): count * cpus
            case .exactly(let count): count
            // It doubles from there within seconds, and nobody has to wait for it to fall.
            case .automatic: max(cpus, 1)
            }
        least = max(cpus, 1)
        let queueMax =
            switch settings.admission.concurrency {
            // The limit moves; the queue is bounded by what it may become on an ordinary machine.
            case .automatic: settings.admission.queueMax.resolved(automatic: 4 * 256 * cpus)
            case .perCPU, .exactly:
                settings.admission.queueMax.resolved(automatic: min(4 * concurrency, Settings.Admission.countMax))
            }
        pod = AdmissionPool(
            limit: concurrency,
            queueLimit: queueMax,
            peakWindow: settings.admission.peakWindow.nanosecondsClamped,
            loopCount: loops,
            now: now
        )
        samples =
            settings.admission.concurrency == .automatic ? LatencySamples(loopCount: loops, limit: concurrency) : nil
        priorityHeader = Array(settings.admission.priorityHeader.lowercased().utf8)
        var generator = SystemRandomNumberGenerator()
        keyHash = KeyHash(seed: (generator.next(), generator.next()))
        madePools = Mutex([(nil, NamedPool(name: Self.podName, pool: pod))])
        limits = Mutex(MadeLimits(settings.rateLimiting))
        global = settings.rateLimiting.limits.map { DeclaredLimit($0) }
    }

    /// The pool of a route: the declared one, made when it is met first, or the pod's.
    func pool(of declared: DeclaredPool?, pattern: String, now: Nanoseconds) -> AdmissionPool {
        guard let declared else { return pod }
        return madePools.withLock { pools in
            if let known = pools.first(where: { $0.declared === declared }) { return known.pool.pool }
            let pool = AdmissionPool(
                limit: declared.limit(cpus: least),
                queueLimit: declared.queueMax(cpus: least),
                peakWindow: settings.admission.peakWindow.nanosecondsClamped,
                loopCount: loopCount,
                now: now
            )
            pools.append((declared, NamedPool(name: Self.free(declared.name ?? pattern, pools), pool: pool)))
            return pool
        }
    }

    /// The name, with a number where a pool has it already: two samples are never one series.
    private static func free(_ wanted: String, _ pools: [(declared: DeclaredPool?, pool: NamedPool)]) -> String {
        var name = wanted
        var count = 1
        while pools.contains(where: { $0.pool.name == name }) {
            count += 1
            name = "\(wanted) \(count)"
        }
        return name
    }

    /// The limits of a route: the server's, then its own, each made when it is met first.
    ///
    /// - Parameter route: names the route that meets its limits first, alike on every replica.
    func limits(of declared: [DeclaredLimit], route: String, now: Nanoseconds) -> [AppliedLimit] {
        limits.withLock { $0.apply(global, route: nil, now: now) + $0.apply(declared, route: route, now: now) }
    }

    /// What the store counts, once all routes have met their limits.
    var storeLimits: [StoreLimit] { limits.withLock { $0.stored } }

    /// Takes how many replicas a provider sees now; see `divideAnew`.
    func observeReplicas(_ count: Int, now: Nanoseconds) {
        limits.withLock { $0.observeReplicas(count, now: now) }
    }

    /// Divides the limits of the cluster by the replicas that count now; true if routes are to be compiled anew with
    /// what has come of it.
    func divideAnew(now: Nanoseconds) -> Bool { limits.withLock { $0.divideAnew(now: now) } }

    var pools: [NamedPool] { madePools.withLock { $0.map(\.pool) } }

    var limiters: [Limiter] { limits.withLock { $0.limiters } }

    /// Whether the pod is near its memory limit: what each request asks.
    var isShortOfMemory: Bool { memory.load(ordering: .relaxed) != 0 }

    /// How near the pod is to its memory limit.
    var memoryPressure: MemoryPressureLevel {
        get { MemoryPressureLevel(rawValue: Int(memory.load(ordering: .relaxed))) ?? .normal }
        set { memory.store(UInt8(newValue.rawValue), ordering: .relaxed) }
    }

    /// What the HPA scales on; each pool's own is with its traffic.
    var utilization: Double {
        get { Double(bitPattern: utilizationBits.load(ordering: .relaxed)) }
        set { utilizationBits.store(newValue.bitPattern, ordering: .relaxed) }
    }
}
