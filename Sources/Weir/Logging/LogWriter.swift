// SPDX-License-Identifier: Apache-2.0
// Takes finished log lines from any thread and has a thread of its own write them. Owned by the App.

import Glibc
import Synchronization

/// A bounded buffer of log lines in front of a descriptor.
///
/// Whoever logs never waits for whoever reads the log: a line that does not fit is dropped and counted. Lines keep the
/// order in which they were taken. The writer's thread ends with ``close(timeout:)``, or after the last reference.
package final class LogWriter: Sendable {
    private let drain: LogDrain

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - descriptor: where lines go; not closed by the writer, whether or not it blocks.
    ///   - capacity: the most bytes that are held, default 1 MiB. A longer line never fits.
    package init(descriptor: Int32, capacity: Int = 1 << 20) {
        precondition(descriptor >= 0, "a log writer needs a descriptor")
        precondition(capacity > 0, "a log writer needs room for a line")
        drain = LogDrain(descriptor: descriptor, capacity: capacity)
        startLogThread(drain)
    }

    deinit {
        // Nobody is left to wait: what can be written without delay is.
        drain.close(timeout: .zero)
    }

    /// Takes a line, without its end; false if it was dropped. Waits for a short lock at most. Any thread.
    @discardableResult
    package func write(_ line: some Collection<UInt8>) -> Bool {
        drain.append(line)
    }

    /// The lines that were dropped since the start: no room, or the descriptor failed (`weir_log_lines_dropped_total`).
    package var droppedLines: UInt64 {
        drain.droppedLines.load(ordering: .relaxed)
    }

    /// Waits until all lines that were taken before are written or dropped; false if that took too long.
    @discardableResult
    package func flush(timeout: Duration) -> Bool {
        drain.flush(timeout: timeout)
    }

    /// Takes no more lines, and waits until those it has are written or the time is over; what is left then is dropped.
    package func close(timeout: Duration) {
        drain.close(timeout: timeout)
        drain.awaitEnd(timeout: timeout)
    }
}

/// Starts the thread that writes, with all signals blocked: it must not take the ones that stop the service, and a
/// closed pipe is to be an error here and not the end of the process.
private func startLogThread(_ drain: LogDrain) {
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    // Blocked around the creation, as the new thread inherits the mask.
    pthread_sigmask(SIG_SETMASK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    var thread = pthread_t()
    let context = Unmanaged.passRetained(drain)
    let result = pthread_create(&thread, nil, runLogThread, context.toOpaque())
    precondition(result == 0, "the log thread cannot be started: is the limit of threads reached?")
    pthread_detach(thread)
}

/// The thread's entry. Not a closure: one written in main-actor code would be checked for isolation and trap.
private func runLogThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    // The reference that `startLogThread` retained for this thread.
    Unmanaged<LogDrain>.fromOpaque(context).takeRetainedValue().run()
    return nil
}
