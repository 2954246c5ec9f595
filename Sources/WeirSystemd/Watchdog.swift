// SPDX-License-Identifier: Apache-2.0
// Whether the service manager wants signs of life, and how often: sd_watchdog_enabled(3).

import CSystemd

/// The service manager's watchdog: without a sign of life within `interval` it kills the service.
package struct Watchdog: Sendable {
    /// `WatchdogSec=` of the unit.
    package let interval: Duration
    private let notifier: ServiceNotifier
    private let isHealthy: @Sendable () -> Bool

    /// How long the service manager waits; nil if it does not, or waits for another process (`WATCHDOG_PID`).
    package static func requestedInterval() throws(SystemdError) -> Duration? {
        var microseconds: UInt64 = 0
        let result = sd_watchdog_enabled(0, &microseconds)
        guard result >= 0 else { throw .watchdog(-result) }
        return result > 0 ? .microseconds(Int64(clamping: microseconds)) : nil
    }

    /// - Parameter isHealthy: asked before each sign; any thread.
    package init(interval: Duration, notifier: ServiceNotifier, isHealthy: @escaping @Sendable () -> Bool) {
        self.interval = interval
        self.notifier = notifier
        self.isHealthy = isHealthy
    }

    /// How often ``beat()`` is to be called: one that comes late or is lost leaves time for another.
    package var period: Duration { interval / 2 }

    /// Gives a sign of life, unless the service is not alive: then its being killed is what is wanted.
    @discardableResult
    package func beat() -> Bool { isHealthy() && notifier.watchdog() }
}
