// SPDX-License-Identifier: Apache-2.0
// Where an engine learns how many CPUs its pod may use: the one way from the budget to the threads.

import Glibc
import WeirHost

/// The CPUs of the pod, which change where it is resized in place.
package struct PodCPUs: Sendable {
    /// How many may be used now, at least 1. It may block: the budget is read from a few files.
    package var read: @Sendable () -> Int

    /// How many may ever be used while this process runs.
    package var most: Int

    package init(most: Int, read: @escaping @Sendable () -> Int) {
        self.most = most
        self.read = read
    }

    /// Those of the pod that this process is in; no more than the machine has online.
    package static func ofThisPod(_ settings: Settings) -> PodCPUs {
        PodCPUs(most: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))) { [policy = settings.cpuPolicy] in
            CPUBudget.read(policy).count
        }
    }
}
