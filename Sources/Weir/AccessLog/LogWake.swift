// SPDX-License-Identifier: Apache-2.0
// How loops wake the thread that writes the access log, which otherwise looks for itself every now and then.

import CWeirSystem
import Glibc
import Synchronization
package import WeirEventLoop

/// A sleep that others can end.
///
/// The sleeper says that it sleeps, then looks whether there is a reason not to; whoever makes such a reason does so
/// first and then looks whether it sleeps. A sequentially consistent fence between the two steps of each side makes
/// sure that at least one of them sees the other's.
package final class LogWake: Sendable {
    private let descriptor: Int32
    private let isSleeping = Atomic<Bool>(false)

    /// - Throws: `SystemCallError` when there is no descriptor left.
    package init() throws(SystemCallError) {
        descriptor = weir_eventfd()
        guard descriptor >= 0 else { throw SystemCallError("eventfd", errno: errno) }
    }

    deinit {
        close(descriptor)
    }

    /// Ends the sleep, if there is one: one write for each time that the thread sleeps. Any thread.
    package func wake() {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        guard isSleeping.exchange(false, ordering: .relaxed) else { return }
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    /// Sleeps until it is woken or the time is over; not at all if `isNeeded`. One thread.
    package func sleep(milliseconds: Int32, unless isNeeded: () -> Bool) {
        isSleeping.store(true, ordering: .relaxed)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let isWoken = poll(&event, 1, isNeeded() ? 0 : milliseconds) > 0
        isSleeping.store(false, ordering: .relaxed)
        var value: UInt64 = 0
        if isWoken { _ = read(descriptor, &value, 8) }
    }
}
