// SPDX-License-Identifier: Apache-2.0
// The access log of one engine: a ring for each loop, and a thread that writes what they hold. Owned by the engine.

import CWeirSystem
import Glibc
import Synchronization
package import WeirEventLoop

/// One line for each finished request, written off the loops.
///
/// A loop writes about a hundred bytes into its own ring and goes on; a full ring costs the line and never time.
package final class AccessLog: Sendable {
    /// The most different route patterns, with their tags, and endpoints that lines can name.
    private static let routesMax = 1 << 16
    private static let endpointsMax = Int(Int16.max)

    /// The names of routes, which are their patterns, and of their tags; and of endpoints, for `Exchange.endpointIndex`.
    package let routes = IndexedNames(countMax: routesMax)
    package let endpoints = IndexedNames(countMax: endpointsMax)
    /// The rings, one for each loop.
    package var rings: [AccessRing] { writer.rings.withLock { $0 } }

    private let ringBytes: Int
    private let writer: AccessLogWriter

    /// Makes the rings; nothing is written before ``start()``.
    ///
    /// - Parameters:
    ///   - output: where lines go.
    ///   - loops: how many loops there are at first, each with a ring of its own.
    ///   - ringBytes: what each ring holds; rounded up to a power of two.
    /// - Throws: `SystemCallError` when there is no descriptor left.
    package init(
        output: AccessLogOutput,
        format: Settings.LogFormat,
        loops: Int,
        ringBytes: Int
    ) throws(SystemCallError) {
        let wake = try LogWake()
        self.ringBytes = ringBytes
        writer = AccessLogWriter(
            rings: (0..<loops).map { _ in AccessRing(capacity: ringBytes, wake: wake) },
            wake: wake,
            output: output,
            format: format,
            routes: routes,
            endpoints: endpoints
        )
    }

    /// What the loop with this index records by. Any thread.
    func recorder(of loop: Int) -> AccessRecorder {
        AccessRecorder(ring: addRing(loop: loop), routes: routes)
    }

    /// The ring of the loop with this index, which is made if there is none yet. Any thread.
    @discardableResult
    package func addRing(loop: Int) -> AccessRing {
        writer.rings.withLock { rings in
            while rings.count <= loop { rings.append(AccessRing(capacity: ringBytes, wake: writer.wake)) }
            return rings[loop]
        }
    }

    /// Starts the thread that writes.
    ///
    /// - Throws: `SystemCallError` when the kernel gives no thread.
    package func start() throws(SystemCallError) {
        // With all signals blocked, which a new thread inherits: it must not take those that stop the service, and a
        // closed pipe is to be an error here and not the end of the process.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        // Detached: `close` waits for its end, and not for ever.
        _ = try SystemThread.start { [writer] in
            weir_thread_name("weir-access-log")
            writer.run()
        }
    }

    /// Writes what has been recorded and ends the thread; what is not written in time is dropped.
    package func close(timeout: Duration) {
        writer.close(timeout: timeout)
    }

    /// Lines that were not written since the start: no room in a ring, or the output failed
    /// (`weir_access_log_lines_dropped_total`).
    package var droppedLines: UInt64 {
        rings.reduce(writer.droppedLines.load(ordering: .relaxed)) { $0 + $1.droppedCount }
    }
}

extension AccessLog {
    /// The access log that the settings ask for, if any.
    ///
    /// - Parameter ringBytes: what each loop holds for it.
    /// - Throws: `AppError` if what it is to write to cannot be written to.
    static func open(_ settings: Settings, loops: Int, ringBytes: Int) throws(AppError) -> AccessLog? {
        let output: AccessLogOutput
        do throws(SystemCallError) {
            switch settings.accessLog {
            case .off: return nil
            case .standardOutput: output = try AccessLogOutput(descriptor: STDOUT_FILENO)
            case .file(let path): output = try AccessLogOutput(path: path)
            }
        } catch {
            throw .settings(
                .invalid(
                    name: "WEIR_ACCESS_LOG",
                    value: ValueForm.accessLogTarget.format(settings.accessLog),
                    expected: "what can be written to; \(error)"
                )
            )
        }
        do throws(SystemCallError) {
            return try AccessLog(
                output: output,
                format: settings.logFormat,
                loops: loops,
                ringBytes: ringBytes
            )
        } catch {
            throw AppError(error)
        }
    }
}
