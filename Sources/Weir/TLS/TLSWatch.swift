// SPDX-License-Identifier: Apache-2.0
// Follows certificates, keys and ticket keys that change on disk, on a thread of its own: reading may block.

import Logging
import WeirEventLoop
import WeirTLS

/// Looks at the files once a second, through whatever links lead to them: so the swap of a mounted Secret's `..data` is
/// seen as well as a file that is moved into place or written.
final class TLSWatch: Sendable {
    private static let lookInterval: Duration = .seconds(1)

    private let server: TLSServer
    private let settings: Settings.TLS
    private let logger: Logger
    private let thread = PeriodicThread("weir-tls", every: TLSWatch.lookInterval)

    init(_ server: TLSServer, _ settings: Settings.TLS, _ logger: Logger) {
        self.server = server
        self.settings = settings
        self.logger = logger
    }

    func start() throws(SystemCallError) {
        warnOfStaples()
        try thread.start { [self] in run() }
    }

    /// Ends the thread; a read that hangs is left to itself.
    func end() {
        thread.end()
    }

    private func run() {
        var follower = FileFollower(server.files, start: server.versions)
        var rotation = TicketRotation(server.tickets, at: LoopClock.monotonic.now)
        while thread.awaitStep() {
            if follower.hasSettled() {
                if !reload(isChange: true) { follower.noteFailed() }
            } else if follower.isRetryDue(), !reload(isChange: false) {
                follower.noteFailed()
            }
            if settings.ticketKeys.isEmpty { rotation.look(at: LoopClock.monotonic.now) }
        }
    }

    /// False where something is at fault. Of files that have not changed since, nothing is said again.
    private func reload(isChange: Bool) -> Bool {
        let faults = server.reload()
        let isWhole = faults.isEmpty && server.stapleFaults.isEmpty
        if isChange || isWhole { server.noteChange(isApplied: isWhole) }
        if isWhole || isChange && faults.isEmpty {
            logger.info(
                "certificates reloaded",
                metadata: ["files": .string(server.files.joined(separator: ","))]
            )
        }
        if isChange || isWhole { warnOfStaples() }
        for fault in faults where isChange {
            logger.error(
                "certificates were not reloaded; the former ones stay",
                metadata: ["reason": .string(fault.description)]
            )
        }
        return isWhole
    }

    private func warnOfStaples() {
        for fault in server.stapleFaults {
            logger.warning("an OCSP response is not taken", metadata: ["reason": .string(fault.description)])
        }
    }
}
