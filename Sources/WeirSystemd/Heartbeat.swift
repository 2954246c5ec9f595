// SPDX-License-Identifier: Apache-2.0
// Does something again and again on a thread of its own, which no handler and no pool can hold up.

import Weir
package import WeirEventLoop

/// A thread that calls a function at once and then in fixed steps until it is stopped.
package final class Heartbeat: Sendable {
    private let thread: PeriodicThread

    /// - Throws: `SystemCallError` when the kernel gives no thread.
    package init(every period: Duration, _ beat: @escaping @Sendable () -> Void) throws(SystemCallError) {
        thread = PeriodicThread("weir-heartbeat", every: period)
        try thread.start { [thread] in
            repeat { beat() } while thread.awaitStep()
        }
    }

    deinit { stop() }

    /// No beat begins after this; one that has begun ends on its own.
    package func stop() {
        thread.end(grace: .zero)
    }
}
