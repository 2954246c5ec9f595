// SPDX-License-Identifier: Apache-2.0
// The guard of one route, across reloads: loops record times and ask whether to degrade, one other thread judges.

internal import Synchronization

/// Joins what the loops see of a route with what is made of it.
///
/// Recording is two relaxed loads and stores in memory of the loop's own, asking is one relaxed load. It takes 1.6 KB for
/// each loop.
@safe
package final class RouteGuard: @unchecked Sendable {
    /// What one loop has counted: 25 cache lines.
    private struct Times: ~Copyable {
        let latency = LatencyHistogram()
        let queue = LatencyHistogram()
    }

    private struct Watch {
        var windows: GuardWindows
        var live: LiveGuard
        var learner: BaselineLearner
        /// What a file said; what is learnt takes its place.
        var given: GuardValues
        var window: GuardWindow?
        var degradations: UInt64 = 0
    }

    package let name: String
    // Invariant: `loopCount` initialised places, from `init` to `deinit`; `times` never changes.
    private let times: UnsafeMutablePointer<Times>
    private let loopCount: Int
    /// How many of `shareWhole` requests are served as ever. Relaxed: it publishes nothing, and has only to be seen soon.
    private let share = Atomic<UInt32>(shareWhole)
    private let watch: Mutex<Watch>

    private static let shareWhole: UInt32 = 1 << 16

    /// - Parameters:
    ///   - loopCount: how many threads record, at least 1.
    ///   - given: what to compare with until it is learnt.
    package init(name: String, policy: GuardPolicy, loopCount: Int, given: GuardValues = GuardValues()) {
        precondition(loopCount >= 1, "somebody has to record")
        self.name = name
        self.loopCount = loopCount
        watch = Mutex(
            Watch(
                windows: GuardWindows(length: policy.window),
                live: LiveGuard(policy: policy, baseline: given),
                learner: BaselineLearner(policy: policy),
                given: given
            )
        )
        // On cache lines that no other object has: `Times` is whole lines long.
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: loopCount * MemoryLayout<Times>.stride,
            alignment: 64
        )
        unsafe times = memory.bindMemory(to: Times.self, capacity: loopCount)
        for index in 0..<loopCount { unsafe (times + index).initialize(to: Times()) }
    }

    deinit {
        unsafe times.deinitialize(count: loopCount)
        unsafe times.deallocate()
    }

    // MARK: On the loops

    /// Counts a request that was served as ever, and has its answer. The loop's thread only; neither allocates nor locks.
    ///
    /// - Parameters:
    ///   - latency: from its end to its answer.
    ///   - queue: how long it waited to run.
    package func record(loop: Int, latency: Nanoseconds, queue: Nanoseconds) {
        precondition(loop >= 0 && loop < loopCount, "there is no such loop")
        // In bounds: checked above.
        unsafe times[loop].latency.record(latency)
        unsafe times[loop].queue.record(queue)
    }

    /// Whether this request is to have less. Any thread.
    ///
    /// - Parameter random: chooses those that are served as ever; asked only while the route is degraded.
    @inline(__always)
    package func degrades(_ random: () -> UInt64) -> Bool {
        let share = share.load(ordering: .relaxed)
        return share != Self.shareWhole && UInt32(truncatingIfNeeded: random() >> 16) % Self.shareWhole >= share
    }

    // MARK: On the thread that judges

    /// Cuts the window that has ended, if one has, judges it and learns from it.
    ///
    /// - Parameter memoryBytes: what the process uses; asked only when a window ends.
    package func look(
        now: Nanoseconds,
        memoryBytes: () -> UInt64?,
        using random: inout some RandomNumberGenerator
    ) -> GuardTransition? {
        watch.withLock { watch in
            guard watch.windows.isDue(at: now) else { return nil }
            let readings = readings(memoryBytes())
            guard let window = watch.windows.cut(readings, now: now) else { return nil }
            let transition = watch.live.judge(window)
            if case .degraded = transition { watch.degradations += 1 }
            watch.window = window
            // A window that speaks for a degradation is not what is usual, whether it comes to that or not.
            watch.learner.add(window, isDegraded: !watch.live.isQuiet, using: &random)
            watch.live.baseline = watch.learner.baseline.filled(by: watch.given)
            share.store(UInt32(watch.live.share * Double(Self.shareWhole)), ordering: .relaxed)
            return transition
        }
    }

    /// Goes by another policy from now on, if it is another: what was learnt stays, and the route is as ever until it is
    /// found degraded by the new one.
    package func follow(_ policy: GuardPolicy) {
        watch.withLock { watch in
            guard watch.live.policy != policy else { return }
            watch.given = watch.live.baseline
            watch.windows = GuardWindows(length: policy.window)
            watch.live = LiveGuard(policy: policy, baseline: watch.given)
            watch.learner = BaselineLearner(policy: policy)
            share.store(Self.shareWhole, ordering: .relaxed)
        }
    }

    private func readings(_ memoryBytes: UInt64?) -> GuardReadings {
        // In bounds: there is at least one loop.
        var latency = unsafe times[0].latency.snapshot
        var queue = unsafe times[0].queue.snapshot
        for index in 1..<max(loopCount, 1) {
            latency = latency + (unsafe times[index].latency.snapshot)
            queue = queue + (unsafe times[index].queue.snapshot)
        }
        return GuardReadings(latency: latency, queue: queue, memoryBytes: memoryBytes)
    }

    // MARK: What is seen of it

    /// What is known at one instant, for pages and metrics.
    package struct Report: Sendable {
        package let isDegraded: Bool
        /// How often it has become so.
        package let degradations: UInt64
        /// The share of requests that are served as ever.
        package let share: Double
        package let baseline: GuardValues
        /// How many the last window has counted.
        package let requests: UInt64
        /// Of the last window, those signals that are watched.
        package let findings: [GuardFinding]

        /// Whether there is nothing yet to compare with.
        package var isLearning: Bool { baseline.latencyP95 == nil }
    }

    /// Any thread.
    package var report: Report {
        watch.withLock { watch in
            Report(
                isDegraded: watch.live.isDegraded,
                degradations: watch.degradations,
                share: watch.live.share,
                baseline: watch.live.baseline,
                requests: watch.window?.requests ?? 0,
                findings: watch.window.map { window in
                    GuardSignal.allCases.compactMap { watch.live.finding($0, of: window) }
                } ?? []
            )
        }
    }

    /// How long its windows are.
    package var window: Nanoseconds { watch.withLock { $0.live.policy.window } }

    /// The route's part of the file; nil while it is not learnt.
    package var learnt: Baseline.Route? { watch.withLock { $0.learner.route } }
}
