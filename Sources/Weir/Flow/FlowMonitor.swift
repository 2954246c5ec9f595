// SPDX-License-Identifier: Apache-2.0
// The thread that looks at a server from outside its loops: it finds the concurrency limit, the utilization, how near the
// pod is to its memory limit, which routes are to be degraded, and whether the pod was resized.

import WeirEventLoop
import WeirFlow
import WeirHost
import WeirMetrics

/// Looks ten times a second. Nothing of a request waits for it.
final class FlowMonitor: Sendable {
    private let flow: FlowControl
    private let server: HTTPServer
    private let memoryUsage: @Sendable () -> MemoryUsage
    private let republish: @Sendable () -> Void
    private let resize: EngineResize
    private let thread = PeriodicThread("weir-flow", every: .nanoseconds(Int64(AutoConcurrency.updateInterval)))

    /// - Parameters:
    ///   - memoryUsage: what the pod uses of its memory; it may block.
    ///   - republish: has the loops run what has come of the limits.
    ///   - resize: fits the engine to the pod's CPUs.
    init(
        _ flow: FlowControl,
        _ server: HTTPServer,
        memoryUsage: @escaping @Sendable () -> MemoryUsage,
        republish: @escaping @Sendable () -> Void,
        resize: EngineResize
    ) {
        self.flow = flow
        self.server = server
        self.memoryUsage = memoryUsage
        self.republish = republish
        self.resize = resize
    }

    func start() throws(SystemCallError) {
        try thread.start { [self] in run() }
    }

    /// Ends the thread, and returns when it has ended.
    func end() {
        thread.end()
    }

    private func run() {
        var looks = FlowLooks(flow, server, memoryUsage: memoryUsage)
        var guards = GuardLooks(flow, server)
        var resize = resize
        while thread.awaitStep() {
            let now = LoopClock.monotonic.now
            looks.look(now: now)
            guards.look(now: now)
            if flow.isToBeDivided(now: now) { republish() }
            resize.look(now: now)
        }
        guards.end()
    }
}

/// What is looked at, and what was seen so far. Time is a parameter.
struct FlowLooks {
    private let flow: FlowControl
    private let server: HTTPServer
    private var concurrency: AutoConcurrency?
    private var cpus: Int
    private var utilization: PodUtilization
    private var pressure: MemoryPressure
    private let memoryUsage: @Sendable () -> MemoryUsage
    private var memoryAt: Nanoseconds = 0
    /// The pools of the last look, in its order.
    private var seenPools: [AdmissionPool] = []
    /// For each loop, for how long it has had something to do.
    private var busy: [UInt64]

    /// Reading the pod's memory is a few files.
    private static let memoryInterval: Nanoseconds = 500_000_000

    init(_ flow: FlowControl, _ server: HTTPServer, memoryUsage: @escaping @Sendable () -> MemoryUsage) {
        self.flow = flow
        self.server = server
        self.memoryUsage = memoryUsage
        cpus = flow.cpus
        if let samples = flow.samples {
            concurrency = AutoConcurrency(
                samples: samples,
                start: flow.concurrency,
                least: cpus,
                most: cpus * AutoConcurrency.mostPerCPU
            )
        }
        utilization = PodUtilization(window: flow.settings.admission.signalWindow.nanosecondsClamped)
        pressure = MemoryPressure(
            thresholds: MemoryPressure.Thresholds(
                shedding: Double(flow.settings.admission.memoryShedPercent) / 100,
                critical: Double(flow.settings.admission.memoryCriticalPercent) / 100
            )
        )
        busy = []
    }

    mutating func look(now: Nanoseconds) {
        if flow.cpus != cpus {
            cpus = flow.cpus
            concurrency?.setRange(least: cpus, most: cpus * AutoConcurrency.mostPerCPU)
        }
        if let limit = concurrency?.update(now: now) {
            flow.setLimit(limit, of: flow.pod, now: now)
        }
        flow.fitQueue()
        for (index, loop) in server.loops.enumerated() {
            if index == busy.count { busy.append(0) }
            // A loop whose thread has ended stays where it was.
            if let schedule = ThreadSchedule.read(thread: loop.threadID) { busy[index] = schedule.busy }
        }
        let pools = flow.pools.map(\.pool)
        if !pools.elementsEqual(seenPools, by: ===) {
            utilization.rearrange(pools.map { pool in seenPools.firstIndex { $0 === pool } })
            seenPools = pools
        }
        let counters = pools.map { pool in
            let traffic = pool.traffic(now: now)
            return UtilizationCounters(arrivals: traffic.arrivals, execution: traffic.execution, limit: pool.limit)
        }
        let found = utilization.update(pools: counters, busyNanoseconds: busy, now: now)
        for (pool, offeredLoad) in zip(pools, found.offeredLoads) { pool.utilization = offeredLoad }
        flow.utilization = found.ratio
        if now &- memoryAt >= Self.memoryInterval {
            memoryAt = now
            let usage = memoryUsage()
            // Short of descriptors is not rich in memory: the last level stays.
            guard !usage.isUnread else { return }
            flow.memoryPressure = pressure.update(usedBytes: usage.usedBytes, limitBytes: usage.limitBytes)
        }
    }
}
