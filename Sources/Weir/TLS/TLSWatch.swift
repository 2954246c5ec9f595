// SPDX-License-Identifier: Apache-2.0
// Follows certificates, keys and ticket keys that change on disk, on a thread of its own: reading may block.

import CWeirSystem
import Logging
import WeirEventLoop
import WeirTLS

/// Looks at the files once a second, through whatever links lead to them: so the swap of a mounted Secret's `..data` is
/// seen as well as a file that is moved into place or written.
final class TLSWatch: Sendable {
    private static let lookInterval: Duration = .seconds(1)
    /// A ticket is taken for up to two hours after the last key that it can be of has ceased to seal.
    private static let keyAge: Nanoseconds = 3_600_000_000_000
    private static let keysKept = 2

    private let server: TLSServer
    private let settings: Settings.TLS
    private let logger: Logger
    private let stop = Monitor(Stop())

    private struct Stop {
        var isAsked = false
        var hasEnded = true
    }

    init(_ server: TLSServer, _ settings: Settings.TLS, _ logger: Logger) {
        self.server = server
        self.settings = settings
        self.logger = logger
    }

    func start() throws(SystemCallError) {
        stop.change { stop in
            stop.hasEnded = false
            return false
        }
        do throws(SystemCallError) {
            // Detached when the handle goes; `end` waits for it.
            _ = try SystemThread.start { [self] in run() }
        } catch {
            noteEnd()
            throw error
        }
    }

    /// Ends the thread within `grace`; a read that hangs is left to itself.
    func end(grace: Duration = .seconds(1)) {
        stop.change { stop in
            stop.isAsked = true
            return true
        }
        _ = stop.wait(timeout: grace) { $0.hasEnded ? true : nil }
    }

    private func run() {
        weir_thread_name("weir-tls")
        var follower = FileFollower(settings.files, start: server.versions)
        var keysChangedAt = LoopClock.monotonic.now
        while stop.wait(timeout: Self.lookInterval, for: { $0.isAsked ? true : nil }) == nil {
            if follower.hasSettled() { reload() }
            let now = LoopClock.monotonic.now
            if settings.ticketKeys.isEmpty, now &- keysChangedAt >= Self.keyAge, let key = try? TicketKeys.Key() {
                server.tickets.rotate(to: key, keeping: Self.keysKept)
                keysChangedAt = now
            }
        }
        noteEnd()
    }

    private func noteEnd() {
        stop.change { stop in
            stop.hasEnded = true
            return true
        }
    }

    private func reload() {
        do throws(TLSError) {
            try server.reload(settings)
            logger.info(
                "certificates reloaded",
                metadata: ["files": .string(settings.certificates.joined(separator: ","))]
            )
        } catch {
            server.noteRejected()
            logger.error(
                "certificates were not reloaded; the former ones stay",
                metadata: ["reason": .string(error.description)]
            )
        }
    }
}
