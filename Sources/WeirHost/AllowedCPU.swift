// SPDX-License-Identifier: Apache-2.0
// Which CPUs a thread may be pinned to.

import CWeirSystem

/// The CPUs that this process may run on.
package enum AllowedCPU {
    /// The number of the `index`-th of them, counted round; nil if the kernel does not say.
    package static func number(_ index: Int) -> Int? {
        let cpu = weir_allowed_cpu(Int32(truncatingIfNeeded: index))
        return cpu < 0 ? nil : Int(cpu)
    }
}
