// SPDX-License-Identifier: Apache-2.0
// Takes log events from any thread and has a thread of its own deliver them, for a log that is no descriptor.

import Synchronization
package import WeirEventLoop

/// A bounded queue of log events in front of a function that may block.
///
/// What ``LogWriter`` is for lines: whoever logs never waits, what does not fit is dropped and counted, and the order
/// is kept. The thread ends with ``close(timeout:)``, or after the last reference.
package final class RecordWriter: Sendable {
    private let queue: Queue

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - capacity: the most bytes that are held, about, default 1 MiB.
    ///   - deliver: called on the thread with one event after the other; false if it is lost.
    /// - Throws: `SystemCallError` when the kernel gives no thread.
    package init(
        capacity: Int = 1 << 20,
        deliver: @escaping @Sendable (LogLine) -> Bool
    ) throws(SystemCallError) {
        queue = Queue(capacity: capacity, deliver: deliver)
        _ = try SystemThread.start { [queue] in queue.run() }
    }

    deinit {
        // Nobody waits: the thread delivers what it has, for a second at most, and ends.
        queue.close(timeout: .seconds(1))
    }

    /// Takes an event; false if it was dropped. Waits for a short lock at most. Any thread.
    @discardableResult
    package func write(_ line: LogLine) -> Bool { queue.append(line) }

    /// The events that were dropped since the start: no room, or not delivered.
    package var droppedLines: UInt64 { queue.droppedLines.load(ordering: .relaxed) }

    /// Takes no more events, and waits until those it has are delivered or the time is over; what is left then is lost.
    package func close(timeout: Duration) {
        queue.close(timeout: timeout)
        queue.awaitEnd(timeout: timeout)
    }
}

/// The events that wait, and the loop that delivers them. Shared by those who log and the thread.
private final class Queue: Sendable {
    private enum Phase {
        case open
        case closing(until: ContinuousClock.Instant)
        case ended
    }

    private struct State {
        var phase = Phase.open
        var pending: [LogLine] = []
        /// Bytes of the events that wait or are being delivered.
        var heldBytes = 0
    }

    /// Relaxed: a statistic that publishes nothing.
    let droppedLines = Atomic<UInt64>(0)

    private let capacity: Int
    private let deliver: @Sendable (LogLine) -> Bool
    private let monitor = Monitor(State())

    init(capacity: Int, deliver: @escaping @Sendable (LogLine) -> Bool) {
        self.capacity = capacity
        self.deliver = deliver
    }

    func append(_ line: LogLine) -> Bool {
        let byteCount = line.byteCount
        var isTaken = false
        monitor.change { state in
            guard case .open = state.phase, state.heldBytes + byteCount <= capacity else { return false }
            isTaken = true
            state.pending.append(line)
            state.heldBytes += byteCount
            // While others wait the thread knows, or is busy and will look.
            return state.pending.count == 1
        }
        if !isTaken { droppedLines.add(1, ordering: .relaxed) }
        return isTaken
    }

    func close(timeout: Duration) {
        monitor.change { state in
            guard case .open = state.phase else { return false }
            state.phase = .closing(until: .now + timeout)
            return true
        }
    }

    func awaitEnd(timeout: Duration) {
        _ = monitor.wait(timeout: timeout) { state -> Bool? in
            if case .ended = state.phase { true } else { nil }
        }
    }

    /// The thread's work: delivers until it is told to close.
    func run() {
        while let lines = nextLines() {
            for line in lines {
                if isOutOfTime || !deliver(line) { droppedLines.add(1, ordering: .relaxed) }
                monitor.change { state in
                    state.heldBytes -= line.byteCount
                    return false
                }
            }
        }
        monitor.change { state in
            state.phase = .ended
            return true
        }
    }

    /// All events that wait; nil when there are none and will be none.
    private func nextLines() -> [LogLine]? {
        let lines: [LogLine]? = monitor.wait(timeout: nil) { state in
            if !state.pending.isEmpty {
                defer { state.pending = [] }
                return state.pending
            }
            guard case .closing = state.phase else { return nil }
            return []
        }
        guard let lines, !lines.isEmpty else { return nil }
        return lines
    }

    /// Whether what is still held is given up.
    private var isOutOfTime: Bool {
        monitor.read { state in
            if case .closing(let until) = state.phase { until <= .now } else { false }
        }
    }
}
