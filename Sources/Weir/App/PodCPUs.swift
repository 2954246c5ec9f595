// SPDX-License-Identifier: Apache-2.0
// Where an engine learns how many CPUs its pod may use: the one way from the budget to the threads.

import Glibc
import WeirHost

/// The CPUs of the pod, which change where it is resized in place.
package struct PodCPUs: Sendable {
    /// What one reading came to.
    package struct Reading: Sendable {
        /// How many may be used, as threads; at least 1.
        package var threads: Int

        /// The same as it was said, such as 0.5; and who said it: a file, `affinity`, `WEIR_CPU_REQUEST`.
        package var cpus: Double
        package var decidedBy: String

        /// What could not be read for want of a descriptor, or the like; nil where all could. With it the rest may be the
        /// node's: good for a start, which has nothing better, and no news for an engine that runs.
        package var unread: String?

        package init(threads: Int, cpus: Double, decidedBy: String, unread: String? = nil) {
            self.threads = threads
            self.cpus = cpus
            self.decidedBy = decidedBy
            self.unread = unread
        }
    }

    /// How many may be used now. It may block: the budget is read from a few files.
    package var read: @Sendable () -> Reading

    /// How many may ever be used while this process runs.
    package var most: Int

    package init(most: Int, read: @escaping @Sendable () -> Reading) {
        self.most = most
        self.read = read
    }

    /// Those of the pod that this process is in; no more than the machine has online.
    package static func ofThisPod(_ settings: Settings) -> PodCPUs {
        PodCPUs(most: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))) { [policy = settings.cpuPolicy] in
            let budget = CPUBudget.read(policy)
            return Reading(
                threads: budget.count,
                cpus: budget.cpus,
                decidedBy: budget.budget.deciding?.name ?? "nothing",
                unread: budget.budget.unread?.name
            )
        }
    }
}
