// SPDX-License-Identifier: Apache-2.0
// The buffer between those who log and the thread that writes. Shared by both; `run` is the thread's.

import Glibc
import Synchronization

/// The lines that wait to be written, and the loop that writes them.
final class LogDrain: Sendable {
    /// Whether lines are taken.
    private enum Phase {
        case open
        /// No more lines; those held are written until this time on the monotonic clock.
        case closing(until: ContinuousClock.Instant)
        case ended
    }

    private struct State {
        var phase = Phase.open
        /// Whole lines that the thread has not taken yet.
        var pending: [UInt8] = []
        /// Bytes taken since the start, and bytes of them written or dropped.
        var acceptedBytes = 0
        var settledBytes = 0

        var heldBytes: Int { acceptedBytes - settledBytes }
    }

    let droppedLines = Atomic<UInt64>(0)

    private let descriptor: Int32
    private let capacity: Int
    private let monitor = Monitor(State())

    init(descriptor: Int32, capacity: Int) {
        self.descriptor = descriptor
        self.capacity = capacity
    }

    /// Takes a line if there is room.
    func append(_ line: some Collection<UInt8>) -> Bool {
        var isTaken = false
        monitor.change { state in
            guard case .open = state.phase, state.heldBytes + line.count + 1 <= capacity else { return false }
            isTaken = true
            let wasEmpty = state.pending.isEmpty
            state.pending.append(contentsOf: line)
            state.pending.append(UInt8(ascii: "\n"))
            state.acceptedBytes += line.count + 1
            // While something is pending the thread knows, or is busy and will look.
            return wasEmpty
        }
        // Relaxed: a statistic that publishes nothing.
        if !isTaken { droppedLines.add(1, ordering: .relaxed) }
        return isTaken
    }

    func flush(timeout: Duration) -> Bool {
        let target = monitor.read(\.acceptedBytes)
        return monitor.wait(timeout: timeout) { $0.settledBytes >= target ? true : nil } ?? false
    }

    /// Takes no more lines. The thread ends when all are written, or at the first that cannot be after the timeout.
    func close(timeout: Duration) {
        monitor.change { state in
            guard case .open = state.phase else { return false }
            state.phase = .closing(until: .now + timeout)
            return true
        }
    }

    /// Waits until the thread has ended. A little longer than the timeout, so that it sees it too.
    func awaitEnd(timeout: Duration) {
        _ = monitor.wait(timeout: timeout + Self.patience * 2) { state -> Bool? in
            if case .ended = state.phase { true } else { nil }
        }
    }

    /// The thread's work: writes until it is told to close.
    func run() {
        while let lines = nextLines() {
            let written = write(lines)
            if written < lines.count { countDropped(lines[written...]) }
            monitor.change { state in
                state.settledBytes += lines.count - written
                return true
            }
        }
    }

    /// All lines that wait; nil, with the drain ended, when there are none and will be none.
    private func nextLines() -> [UInt8]? {
        let lines: [UInt8]? = monitor.wait(timeout: nil) { state in
            if !state.pending.isEmpty {
                let lines = state.pending
                state.pending = []
                return lines
            }
            guard case .closing = state.phase else { return nil }
            state.phase = .ended
            return []
        }
        if let lines, !lines.isEmpty { return lines }
        // `wait` wakes nobody, and `awaitEnd` is to hear of the end.
        monitor.change { _ in true }
        return nil
    }

    /// Writes as much as the descriptor takes; returns how many bytes that is.
    private func write(_ lines: [UInt8]) -> Int {
        var written = 0
        while written < lines.count {
            var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            let ready = poll(&event, 1, Self.patienceMilliseconds)
            if ready <= 0 {
                if isOutOfTime { break }
                continue
            }
            // A pipe that is ready takes PIPE_BUF bytes without blocking, so this thread is never stuck in a write and
            // can always be told to end. The descriptor's own flags stay: other processes may share them.
            let count = min(lines.count - written, Int(PIPE_BUF))
            // In bounds: `written + count` is at most the array's count.
            let result = lines.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress.map { $0 + written }, count) }
            if result < 0 {
                if (errno == EINTR || errno == EAGAIN) && !isOutOfTime { continue }
                break
            }
            written += result
            settle(result)
        }
        return written
    }

    private func settle(_ byteCount: Int) {
        monitor.change { state in
            state.settledBytes += byteCount
            return true
        }
    }

    private var isOutOfTime: Bool {
        monitor.read { state in
            if case .closing(let until) = state.phase { until <= .now } else { false }
        }
    }

    private func countDropped(_ lines: ArraySlice<UInt8>) {
        droppedLines.add(UInt64(lines.count { $0 == UInt8(ascii: "\n") }), ordering: .relaxed)
    }

    /// How long a descriptor may take nothing before the thread looks whether it is to end.
    private static let patienceMilliseconds: Int32 = 50
    private static var patience: Duration { .milliseconds(patienceMilliseconds) }
}
