// SPDX-License-Identifier: Apache-2.0
// The limits, pools and guards of routes that are being compiled. Made and used on the one thread that compiles; nothing that
// runs is another before `FlowControl.commit`.

import WeirEventLoop
import WeirFlow

/// A pool, what its metrics are called, and what was declared of it.
struct NamedPool: Sendable {
    let name: String
    let pool: AdmissionPool
    let limit: Int
    let queueMax: Int
    /// Whether `queueMax` is only the start's: as many wait as the limit that is found allows.
    var fitsQueue = false
    /// Whether no route of the present snapshot has it: it goes when its last request does.
    var isFormer = false

    /// Whether requests of it run or wait.
    var isBusy: Bool {
        let word = pool.occupancy
        return word.executing > 0 || word.queued > 0
    }
}

/// What routes have of a server's limits and pools. One that was there before by the same name is the same, with what
/// it has counted and who waits in it.
final class FlowDraft {
    let settings: Settings
    let keyHash: KeyHash
    private let cpus: Int
    private let loopsMax: Int
    private let former: [String: NamedPool]
    private let global: [DeclaredLimit]
    private var limits: LimitsDraft
    /// The pod's first.
    private(set) var pools: [NamedPool]
    private var names: Set<String>
    private let formerGuards: [String: RouteGuard]
    private let baseline: Baseline
    /// The guards of routes, each with what it is to go by.
    private(set) var guards: [(routeGuard: RouteGuard, policy: GuardPolicy)] = []
    private var guardNames: Set<String> = []
    private let formerCopies: [String: MirrorCopies]
    /// What counts the copies of routes that have a mirror.
    private(set) var copies: [MirrorCopies] = []
    private var copiesNames: Set<String> = []
    /// As `LimitsDraft.known`.
    private var knownMirrors: [ObjectIdentifier: (declared: DeclaredMirror, copies: MirrorCopies)] = [:]
    /// As `LimitsDraft.known`.
    private var known: [ObjectIdentifier: (declared: DeclaredPool, pool: AdmissionPool)] = [:]
    /// By how many replicas the limits of the cluster are divided.
    let divisor: Int

    init(
        _ settings: Settings,
        keyHash: KeyHash,
        cpus: Int,
        memoryBytes: Int?,
        loopsMax: Int,
        pod: NamedPool,
        former: [NamedPool],
        formerGuards: [RouteGuard],
        formerCopies: [MirrorCopies],
        baseline: Baseline,
        limits: MadeLimits,
        divisor: Int
    ) {
        self.settings = settings
        self.keyHash = keyHash
        self.cpus = cpus
        self.loopsMax = loopsMax
        self.divisor = divisor
        self.former = Dictionary(former.map { ($0.name, $0) }) { first, _ in first }
        self.formerGuards = Dictionary(formerGuards.map { ($0.name, $0) }) { first, _ in first }
        self.formerCopies = Dictionary(formerCopies.map { ($0.name, $0) }) { first, _ in first }
        self.baseline = baseline
        global = settings.rateLimiting.limits.map { DeclaredLimit($0) }
        self.limits = LimitsDraft(
            settings.rateLimiting,
            tableBytes: PodSizes.limitTableBytes(settings.rateLimiting, memoryBytes: memoryBytes),
            divisor: divisor,
            succeeding: limits
        )
        pools = [pod]
        names = [pod.name]
    }

    /// What the limits have become.
    var madeLimits: MadeLimits { limits.made }

    /// The limits of a route: the server's, then its own.
    ///
    /// - Parameter route: names the route that meets its limits first, alike on every replica.
    func limits(of declared: [DeclaredLimit], route: String, now: Nanoseconds) -> [AppliedLimit] {
        limits.apply(global, route: nil, now: now) + limits.apply(declared, route: route, now: now)
    }

    /// The pool of a route: the declared one, by its own name or that of the route that is met first, or the pod's.
    func pool(of declared: DeclaredPool?, pattern: String, now: Nanoseconds) -> AdmissionPool {
        guard let declared else { return pools[0].pool }
        if let known = known[ObjectIdentifier(declared)] { return known.pool }
        let name = Self.freeName(declared.name ?? pattern, &names)
        let (limit, queueMax) = (declared.limit(cpus: cpus), declared.queueMax(cpus: cpus))
        let pool =
            former[name]?.pool
            ?? AdmissionPool(
                limit: limit,
                queueLimit: queueMax,
                peakWindow: settings.admission.peakWindow.nanosecondsClamped,
                loopCount: loopsMax,
                now: now
            )
        pools.append(NamedPool(name: name, pool: pool, limit: limit, queueMax: queueMax))
        known[ObjectIdentifier(declared)] = (declared, pool)
        return pool
    }

    /// The guard of a route: that which there was by this name, with what it has learnt.
    func routeGuard(of name: String, _ policy: GuardPolicy) -> RouteGuard {
        let name = Self.freeName(name, &guardNames)
        let routeGuard =
            formerGuards[name]
            ?? RouteGuard(
                name: name,
                policy: policy,
                loopCount: loopsMax,
                given: baseline.guardValues(route: name)
            )
        guards.append((routeGuard, policy))
        return routeGuard
    }

    /// What counts the copies of a route: for all its paths and hosts that which there was by this name, with those that
    /// are on their way.
    ///
    /// - Parameter route: the name of the first of them.
    func copies(of declared: DeclaredMirror, route: String) -> MirrorCopies {
        if let known = knownMirrors[ObjectIdentifier(declared)] { return known.copies }
        let name = Self.freeName(route, &copiesNames)
        let copies = formerCopies[name] ?? MirrorCopies(name: name)
        self.copies.append(copies)
        knownMirrors[ObjectIdentifier(declared)] = (declared, copies)
        return copies
    }

    /// The name, with a number where routes of one pattern have pools, guards or mirrors of their own: two samples are
    /// never one series.
    private static func freeName(_ name: String, _ names: inout Set<String>) -> String {
        var free = name
        var count = 1
        while !names.insert(free).inserted {
            count += 1
            free = "\(name) \(count)"
        }
        return free
    }
}
