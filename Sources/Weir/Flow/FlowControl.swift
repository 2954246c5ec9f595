// SPDX-License-Identifier: Apache-2.0
// What a server limits, admits and has waiting: the limiters and pools of its routes. Made at start, shared by all
// loops, and changed by whoever publishes a snapshot, one at a time.

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

    /// Those of the start, for what does not change while it runs.
    let settings: Settings
    /// What was usual for the version that runs when it ran before; empty where that is not known.
    let baseline: Baseline
    /// How many CPUs the limits are for. Relaxed: it is read by those who compile, and by the thread that writes it.
    private let cpuCount: Atomic<Int>
    /// The pod's memory budget at the start, from which tables have their size; nil where it is unknown.
    private let memoryBytes: Int?
    /// How many loops there may ever be; each counts in a place of its own.
    private let loopsMax: Int
    let pod: AdmissionPool
    /// What the concurrency limit is found from; nil where it is given.
    let samples: LatencySamples?
    /// The field that says a request's class, in lower case; empty for none.
    let priorityHeader: [UInt8]
    let keyHash: KeyHash
    private let present: Mutex<Present>
    private let replicas: Mutex<ReplicaCount>
    /// How near the pod is to its memory limit: `MemoryPressureLevel`. Relaxed: it publishes nothing.
    private let memory = Atomic<UInt8>(0)
    /// `weir_utilization_ratio`, as the bit pattern of a double. Relaxed: it publishes nothing.
    private let utilizationBits = Atomic<UInt64>(0)

    private struct Present {
        /// The pod's first, those of no present route last.
        var pools: [NamedPool]
        var limits = MadeLimits()
        var guards: [RouteGuard] = []
        /// Those of no present route last.
        var copies: [MirrorCopies] = []
        /// What the store counts, that of the next snapshot among it.
        var stored: [StoreLimit] = []
        /// By how many replicas the limits of the cluster are divided.
        var divisor: Int
    }

    init(
        _ settings: Settings,
        cpus: Int,
        memoryBytes: Int? = nil,
        loopsMax: Int,
        baseline: Baseline? = nil,
        now: Nanoseconds = LoopClock.monotonic.now
    ) {
        self.settings = settings
        self.baseline = baseline ?? Baseline(version: settings.baselineVersion)
        self.memoryBytes = memoryBytes
        self.loopsMax = loopsMax
        let cpus = max(cpus, 1)
        cpuCount = Atomic(cpus)
        let bounds = PodBounds(settings.admission, cpus: cpus)
        pod = AdmissionPool(
            limit: bounds.limit,
            queueLimit: bounds.queueMax,
            peakWindow: settings.admission.peakWindow.nanosecondsClamped,
            loopCount: loopsMax,
            now: now
        )
        samples =
            settings.admission.concurrency == .automatic
            ? LatencySamples(loopCount: loopsMax, limit: bounds.limit) : nil
        priorityHeader = Array(settings.admission.priorityHeader.lowercased().utf8)
        var generator = SystemRandomNumberGenerator()
        keyHash = KeyHash(seed: (generator.next(), generator.next()))
        present = Mutex(Present(pools: [bounds.named(pod)], divisor: settings.rateLimiting.replicas.first))
        replicas = Mutex(ReplicaCount(settings.rateLimiting.replicas.first))
    }

    /// How many CPUs the limits of the next snapshot are for, at least 1; what no limit may be below.
    var cpus: Int {
        get { cpuCount.load(ordering: .relaxed) }
        set { cpuCount.store(max(newValue, 1), ordering: .relaxed) }
    }

    /// How many may run in the pod's pool when the server starts.
    var concurrency: Int { PodBounds(settings.admission, cpus: cpus).limit }

    // MARK: Snapshots

    /// Begins the limits and pools of a snapshot: those that there are, and what its routes add.
    func draft(_ settings: Settings, now: Nanoseconds = LoopClock.monotonic.now) -> FlowDraft {
        let divisor = replicas.withLock { $0.count(at: now) }
        let cpus = cpus
        let bounds = PodBounds(settings.admission, cpus: cpus)
        return present.withLock { present in
            FlowDraft(
                settings,
                keyHash: keyHash,
                cpus: cpus,
                memoryBytes: memoryBytes,
                loopsMax: loopsMax,
                pod: bounds.named(pod),
                former: present.pools,
                formerGuards: present.guards,
                formerCopies: present.copies,
                baseline: baseline,
                limits: present.limits,
                divisor: divisor
            )
        }
    }

    /// Before a snapshot is published: loops will ask the store for its limits. Those that there were keep their numbers.
    func announce(_ draft: FlowDraft) {
        present.withLock { $0.stored = draft.madeLimits.stored }
    }

    /// The snapshot of this draft is published: what is counted and shown is its limits and pools from now on, and pools
    /// that stay have its bounds.
    func commit(_ draft: FlowDraft, now: Nanoseconds = LoopClock.monotonic.now) {
        let pools = draft.pools
        let former = present.withLock { present in
            let former = present.pools
            let names = Set(pools.map(\.name))
            // One that is gone is shown as long as there is something of it, and is the same again if it comes back.
            let leaving = former.filter { !names.contains($0.name) && $0.isBusy }.map { pool in
                var pool = pool
                pool.isFormer = true
                return pool
            }
            present.pools = pools + leaving
            present.limits = draft.madeLimits
            present.guards = draft.guards.map(\.routeGuard)
            let copiesNames = Set(draft.copies.map(\.name))
            // As with the pools.
            present.copies = draft.copies + present.copies.filter { !copiesNames.contains($0.name) && $0.isBusy }
            present.stored = draft.madeLimits.stored
            present.divisor = draft.divisor
            return former
        }
        for (routeGuard, policy) in draft.guards { routeGuard.follow(policy) }
        let bounds = Dictionary(former.map { ($0.name, $0) }) { first, _ in first }
        for pool in pools {
            guard let before = bounds[pool.name] else { continue }
            if before.queueMax != pool.queueMax { pool.pool.setQueueLimit(pool.queueMax) }
            // A limit that moves by itself stays where it is.
            let isFound = samples != nil && pool.pool === pod
            if before.limit != pool.limit, !isFound { setLimit(pool.limit, of: pool.pool, now: now) }
        }
    }

    /// Changes how many may run in a pool, and tells those that may now.
    func setLimit(_ limit: Int, of pool: AdmissionPool, now: Nanoseconds) {
        var granted = pool.setLimit(limit, now: now)
        while let ticket = granted.popFirst() { ServerLoop.tell(ticket) }
    }

    /// Has as many wait in the pod's pool as the limit that is found now allows, where both are `auto`.
    func fitQueue() {
        guard samples != nil, present.withLock({ $0.pools[0].fitsQueue }) else { return }
        pod.setQueueLimit(PodBounds.queueMax(limit: pod.limit, cpus: cpus))
    }

    /// What the store counts, once all routes have met their limits.
    var storeLimits: [StoreLimit] { present.withLock { $0.stored } }

    /// Takes how many replicas a provider sees now; see `isToBeDivided`.
    func observeReplicas(_ count: Int, now: Nanoseconds) {
        replicas.withLock { $0.observe(count, at: now) }
    }

    /// Whether the limits of the cluster are divided by another number of replicas than counts now: then a snapshot is to
    /// be published with what comes of it.
    func isToBeDivided(now: Nanoseconds) -> Bool {
        guard settings.rateLimiting.scope == .cluster else { return false }
        let count = replicas.withLock { $0.count(at: now) }
        return present.withLock { $0.divisor } != count
    }

    // MARK: What is seen of it

    /// Those of the present routes, and those in which something is left.
    var pools: [NamedPool] { present.withLock { $0.pools.filter { !$0.isFormer || $0.isBusy } } }

    /// One more than the highest number of a limit.
    var limitNumberCount: Int { present.withLock { $0.limits.all.count } }

    /// Those of the present routes.
    var guards: [RouteGuard] { present.withLock { $0.guards } }

    var limits: [AppliedLimit] { present.withLock { $0.limits.present } }

    /// Whether the pod is near its memory limit: what each request asks.
    var isShortOfMemory: Bool { memory.load(ordering: .relaxed) != 0 }

    /// How near the pod is to its memory limit.
    var memoryPressure: MemoryPressureLevel {
        get { MemoryPressureLevel(rawValue: Int(memory.load(ordering: .relaxed))) ?? .normal }
        set { memory.store(UInt8(newValue.rawValue), ordering: .relaxed) }
    }

    /// What the HPA scales on; each pool has its own.
    var utilization: Double {
        get { Double(bitPattern: utilizationBits.load(ordering: .relaxed)) }
        set { utilizationBits.store(newValue.bitPattern, ordering: .relaxed) }
    }
}

/// What the settings say of the pod's own pool.
private struct PodBounds {
    /// How many may run, at first where the limit moves.
    let limit: Int
    /// How many may wait, at first where the limit moves.
    let queueMax: Int
    /// Whether the queue follows the limit that is found.
    let fitsQueue: Bool

    init(_ admission: Settings.Admission, cpus: Int) {
        switch admission.concurrency {
        // The start checks it; a pod that grows later is bounded here.
        case .perCPU(let count): limit = min(count * cpus, Settings.Admission.countMax)
        case .exactly(let count): limit = count
        // It doubles from there within seconds, and nobody has to wait for it to fall.
        case .automatic: limit = cpus
        }
        let isFound = admission.concurrency == .automatic
        fitsQueue = isFound && admission.queueMax == .automatic
        let automatic = isFound ? Self.queueMax(limit: limit, cpus: cpus) : min(4 * limit, Settings.Admission.countMax)
        queueMax = admission.queueMax.resolved(automatic: automatic)
    }

    /// What `auto` is beside a limit that is found: four for each that may run, and as a search begins low, not so few that
    /// what comes meanwhile is turned away.
    static func queueMax(limit: Int, cpus: Int) -> Int {
        min(max(4 * limit, queueLeastPerCPU * cpus), Settings.Admission.countMax)
    }

    private static let queueLeastPerCPU = 16

    func named(_ pool: AdmissionPool) -> NamedPool {
        NamedPool(name: FlowControl.podName, pool: pool, limit: limit, queueMax: queueMax, fitsQueue: fitsQueue)
    }
}
