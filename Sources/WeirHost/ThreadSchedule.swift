// SPDX-License-Identifier: Apache-2.0
// How much of its time a thread has had something to do, as the scheduler counts it.

/// What the scheduler says of one thread of this process: `/proc/self/task/ID/schedstat` (Linux
/// Documentation/scheduler/sched-stats.rst).
package struct ThreadSchedule: Equatable, Sendable {
    /// Nanoseconds on a CPU.
    package let running: UInt64
    /// Nanoseconds in which it could have run and had no CPU: others had it, or the quota was used up.
    package let waiting: UInt64

    /// Nanoseconds in which it did not sleep. Never steps back.
    package var busy: UInt64 { running &+ waiting }

    /// Nil where the kernel does not count it, or there is no such thread.
    package static func read(thread: Int32, root: String = "/") -> ThreadSchedule? {
        guard case .text(let text) = HostFile("/proc/self/task/\(thread)/schedstat", root: root).read() else {
            return nil
        }
        let numbers = text.words.compactMap { UInt64($0) }
        guard numbers.count >= 2 else { return nil }
        return ThreadSchedule(running: numbers[0], waiting: numbers[1])
    }
}
