// SPDX-License-Identifier: Apache-2.0
// Who asks for a reload, and the thread on which reloads happen, one after the other. It is a loop of its own: reading and
// compiling a large file holds up no request, no probe and no health check.

import Synchronization
package import WeirEventLoop
import WeirMetrics

/// Runs reloads. Those who ask while one runs share the next one, which sees what they have written.
package final class Reloader: Sendable {
    private let loop: EventLoop
    private let reload: @Sendable () -> ReloadOutcome
    private let state = Mutex(State())
    private let watch: Confined<ConfigurationWatch?>

    private struct State {
        /// Whether a reload is on its way that has not begun.
        var isAsked = false
        var isStarted = false
        var isStopped = false
        var waiting: [CheckedContinuation<ReloadOutcome?, Never>] = []

        /// Whether the one who asks is the first since a reload has begun.
        mutating func ask() -> Bool {
            defer { isAsked = true }
            return !isAsked && !isStopped
        }
    }

    /// `@unchecked Sendable`: its value is touched on the loop's thread alone.
    private final class Confined<Value>: @unchecked Sendable {
        var value: Value

        init(_ value: Value) {
            self.value = value
        }
    }

    /// - Parameters:
    ///   - file: what is watched; nil for nothing.
    ///   - version: that of the file when it was read.
    ///   - reload: called on the loop's thread, where it may block.
    package init(
        watching file: String?,
        version: FileVersion?,
        reload: @escaping @Sendable () -> ReloadOutcome
    ) throws(SystemCallError) {
        loop = try EventLoop(index: 0, name: "weir-reload", metrics: MetricsShard())
        self.reload = reload
        watch = Confined(nil)
        guard let file else { return }
        watch.value = ConfigurationWatch(file, version: version, on: loop) { [weak self] in self?.trigger() }
    }

    package func start() throws(SystemCallError) {
        loop.submit { [watch] _ in watch.value?.start() }
        // Detached when the handle goes; `stop` waits for its end.
        _ = try SystemThread.start { [loop] in loop.run() }
        state.withLock { $0.isStarted = true }
    }

    /// Ends the thread within `grace`; a read that hangs is left to itself. Those who wait for a reload get nil.
    package func stop(grace: Nanoseconds = 1_000_000_000) {
        let (waiting, isStarted) = state.withLock { state in
            defer { state.waiting = [] }
            state.isStopped = true
            return (state.waiting, state.isStarted)
        }
        for continuation in waiting { continuation.resume(returning: nil) }
        guard isStarted else { return }
        loop.submit { [watch] loop in
            watch.value?.stop()
            loop.stop()
        }
        _ = loop.awaitEnd(by: LoopClock.monotonic.now &+ grace)
    }

    /// Asks for a reload.
    package func trigger() {
        if state.withLock({ $0.ask() }) { begin() }
    }

    /// Reloads, and answers what came of it; nil when the engine ends meanwhile.
    package func reload() async -> ReloadOutcome? {
        await withCheckedContinuation { continuation in
            let (isStopped, isFirst) = state.withLock { state in
                if !state.isStopped { state.waiting.append(continuation) }
                return (state.isStopped, state.ask())
            }
            if isStopped { continuation.resume(returning: nil) } else if isFirst { begin() }
        }
    }

    private func begin() {
        loop.submit { [self] _ in run() }
    }

    private func run() {
        // Who asks from here on asks for another: this one may have read the file before.
        let (isStopped, waiting) = state.withLock { state in
            defer { state.waiting = [] }
            state.isAsked = false
            return (state.isStopped, state.waiting)
        }
        // Those who waited have been told.
        if isStopped { return }
        watch.value?.noteRead()
        let outcome = reload()
        for continuation in waiting { continuation.resume(returning: outcome) }
    }
}
