// SPDX-License-Identifier: Apache-2.0
// Work that requests leave behind: in one queue of a server, a few at a time on its workers. Any thread.

import Logging
import Synchronization
import WeirEventLoop

/// A piece of work, and which request left it: ids only, so that it does not hold the exchange.
struct BackgroundWork: Sendable {
    let route: String
    let requestID: String
    let run: @Sendable () async throws -> Void
}

/// Begins work in the order in which its requests ended, and counts how it ends.
///
/// A piece passes through three stages: it is promised while its request goes on, then waits, then runs. What has not
/// begun is bounded together, so that a handler learns of a full queue while it can still say so.
final class BackgroundQueue: Sendable {
    /// What is to be seen of the queue from outside.
    struct Counts: Equatable {
        var queued = 0
        var running = 0
        var finished: UInt64 = 0
        var failed: UInt64 = 0
        var dropped: UInt64 = 0
        var refused: UInt64 = 0

        /// What has not ended.
        var left: Int { queued + running }
    }

    private struct State {
        /// `queued` is what is promised and what waits.
        var counts = Counts()
        var waiting = WaitingWork()
        /// By the number of the piece. Who takes a piece out of here counts how it ended.
        var running: [UInt64: Task<Void, Never>] = [:]
        var lastNumber: UInt64 = 0
        var runningMax: Int
        var isStopped = false
        /// How long a piece takes.
        var mean = MeanTime()
    }

    private let queueMax: Int
    private let workers: WorkerPool
    private let logger: Logger
    private let now: @Sendable () -> Nanoseconds
    private let state: Mutex<State>

    /// - Parameters:
    ///   - queueMax: pieces that have not begun at most; `promise` refuses beyond it.
    ///   - runningMax: pieces that run at once, at least 1.
    ///   - now: the clock by which pieces are measured.
    init(
        queueMax: Int,
        runningMax: Int,
        workers: WorkerPool,
        logger: Logger,
        now: @escaping @Sendable () -> Nanoseconds = { LoopClock.monotonic.now }
    ) {
        self.queueMax = queueMax
        state = Mutex(State(runningMax: runningMax))
        self.workers = workers
        self.logger = logger
        self.now = now
    }

    var counts: Counts { state.withLock { $0.counts } }

    /// Until what has not begun has ended, by the mean of what has; 0 before something had.
    var drainTime: Nanoseconds {
        state.withLock { $0.mean.drainTime(of: $0.counts.queued, running: $0.runningMax) }
    }

    /// Whether nothing is left to do.
    var isIdle: Bool { counts.left == 0 }

    /// Takes a place for a piece that is then handed to `begin`; false when the queue is full.
    func promise() -> Bool {
        state.withLock { state in
            guard state.counts.queued < queueMax, !state.isStopped else {
                state.counts.refused += 1
                return false
            }
            state.counts.queued += 1
            return true
        }
    }

    /// Runs a piece that was promised as soon as it is its turn.
    func begin(_ work: BackgroundWork) {
        state.withLock { state in
            // Already counted as dropped.
            guard !state.isStopped else { return }
            state.waiting.append(work)
            _ = startNext(&state)
        }
    }

    /// Changes how many pieces run at once, at least 1. Where more run than may, they end in their time.
    func setRunningMax(_ runningMax: Int) {
        state.withLock { state in
            state.runningMax = max(1, runningMax)
            while !state.isStopped, startNext(&state) {}
        }
    }

    /// Ends the queue: what has not begun never will, what runs is cancelled, and all of it counts as dropped.
    func stop() {
        let (queued, cancelled) = state.withLock { state in
            defer { state.running = [:] }
            state.isStopped = true
            state.waiting = WaitingWork()
            let queued = state.counts.queued
            state.counts.queued = 0
            state.counts.running = 0
            state.counts.dropped += UInt64(queued + state.running.count)
            return (queued, Array(state.running.values))
        }
        for task in cancelled { task.cancel() }
        guard queued + cancelled.count > 0 else { return }
        logger.warning(
            "background work was dropped",
            metadata: [
                "queued": .stringConvertible(queued),
                "running": .stringConvertible(cancelled.count),
            ]
        )
    }

    /// Runs the piece that has waited longest, if one waits and may run; answers whether.
    private func startNext(_ state: inout State) -> Bool {
        guard state.running.count < state.runningMax, let work = state.waiting.popFirst() else { return false }
        state.counts.queued -= 1
        state.counts.running += 1
        state.lastNumber += 1
        let number = state.lastNumber
        // Its end waits for the lock that is held here, so it finds itself.
        state.running[number] = Task(executorPreference: workers) { await self.run(work, number) }
        return true
    }

    private func run(_ work: BackgroundWork, _ number: UInt64) async {
        let start = now()
        do {
            try await work.run()
            _ = end(number, after: now() &- start) { $0.finished += 1 }
        } catch {
            guard end(number, after: now() &- start, { $0.failed += 1 }) else { return }
            logger.error(
                "background work failed",
                metadata: [
                    "request_id": .string(work.requestID),
                    "route": .string(work.route),
                    "error": .string(String(describing: error)),
                ]
            )
        }
    }

    /// Counts a piece that has ended, unless it was dropped before, and starts the next.
    private func end(_ number: UInt64, after time: Nanoseconds, _ count: (inout Counts) -> Void) -> Bool {
        state.withLock { state in
            guard state.running.removeValue(forKey: number) != nil else { return false }
            state.mean.note(time)
            state.counts.running -= 1
            count(&state.counts)
            _ = startNext(&state)
            return true
        }
    }
}

/// First in, first out.
private struct WaitingWork {
    private var work: [BackgroundWork?] = []
    private var first = 0

    mutating func append(_ next: BackgroundWork) {
        // What was taken is closed up when it is the larger part: each piece is moved once at most on average.
        if first > work.count / 2 {
            work.removeFirst(first)
            first = 0
        }
        work.append(next)
    }

    mutating func popFirst() -> BackgroundWork? {
        guard first < work.count else { return nil }
        defer {
            work[first] = nil
            first += 1
        }
        return work[first]
    }
}
