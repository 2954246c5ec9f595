// SPDX-License-Identifier: Apache-2.0
// Tells the service manager what the service does: sd_notify(3), in an order that makes sense. Any thread.

import CSystemd
import Glibc
import Synchronization

/// Messages to the service manager.
///
/// ```
/// starting ──ready──> ready <──reloading/ready──> reloading
///     └─────────────────┴──stopping──> stopping ──end──> ended
/// ```
/// A state that does not follow from the present one is not told, so READY and STOPPING are told once and nothing
/// comes after the end. Messages leave in the order of the calls. Each says whether it was sent.
package final class ServiceNotifier: Sendable {
    package enum Phase: Sendable {
        case starting
        case ready
        case reloading
        case stopping
        case ended
    }

    /// Held while a message is sent, so that no two overtake each other.
    private let phase = Mutex(Phase.starting)

    /// Nil where nobody listens: `NOTIFY_SOCKET` is not set.
    ///
    /// - Parameter environment: the process's own; libsystemd reads the socket's address there, too. It is not changed.
    package init?(environment: (String) -> String? = ProcessEnvironment.value) {
        guard Self.isAwaited(environment) else { return nil }
    }

    /// Whether somebody listens.
    package static var isAwaited: Bool { isAwaited(ProcessEnvironment.value) }

    private static func isAwaited(_ environment: (String) -> String?) -> Bool { environment("NOTIFY_SOCKET") != nil }

    /// The service serves, at first or after a reload.
    @discardableResult
    package func ready(status: String) -> Bool {
        move(to: .ready, "READY=1\nSTATUS=\(Self.line(status))") { $0 == .starting || $0 == .reloading }
    }

    /// The configuration is read again; `ready` follows, whether or not it could be used.
    @discardableResult
    package func reloading() -> Bool {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        // Type=notify-reload wants to know that this is newer than its signal.
        let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1000
        return move(to: .reloading, "RELOADING=1\nMONOTONIC_USEC=\(microseconds)") { $0 == .ready }
    }

    /// The service drains. Afterwards only `status`, `extendTimeout` and `watchdog` say anything.
    @discardableResult
    package func stopping(status: String) -> Bool {
        move(to: .stopping, "STOPPING=1\nSTATUS=\(Self.line(status))") { $0 != .stopping && $0 != .ended }
    }

    /// One line for people, as `systemctl status` shows it.
    @discardableResult
    package func status(_ text: String) -> Bool { tell("STATUS=\(Self.line(text))") }

    /// Start and stop may take so long from now on, whatever the unit says, in whole microseconds.
    @discardableResult
    package func extendTimeout(_ duration: Duration) -> Bool {
        tell("EXTEND_TIMEOUT_USEC=\(max(0, duration / .microseconds(1)).rounded(.up).wholeClamped)")
    }

    /// The service is alive.
    @discardableResult
    package func watchdog() -> Bool { tell("WATCHDOG=1") }

    /// Nothing is told any more.
    package func end() {
        phase.withLock { $0 = .ended }
    }

    private func move(to next: Phase, _ message: String, from isAllowed: (Phase) -> Bool) -> Bool {
        phase.withLock { phase in
            guard isAllowed(phase) else { return false }
            phase = next
            return Self.send(message)
        }
    }

    private func tell(_ message: String) -> Bool {
        phase.withLock { phase in
            guard phase != .ended else { return false }
            return Self.send(message)
        }
    }

    private static func send(_ message: String) -> Bool { sd_notify(0, message) > 0 }

    /// A line's end would begin another assignment.
    private static func line(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 ? " " : $0 }))
    }
}

extension Double {
    fileprivate var wholeClamped: Int64 { self < 9e18 ? Int64(self) : .max }
}
