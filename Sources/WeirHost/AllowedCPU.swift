// SPDX-License-Identifier: Apache-2.0
// Which CPUs a thread may be pinned to.

import CWeirSystem

/// The CPUs that this process may run on.
package enum AllowedCPU {
    /// The number of the `index`-th of them, counted round; nil if the kernel does not say. Where that is `taken`, the next
    /// that is not: they may have become more since it was asked for the others.
    package static func number(_ index: Int, unlessIn taken: [Int] = []) -> Int? {
        guard let first = number(at: index) else { return nil }
        var (next, step) = (first, 0)
        while taken.contains(next) {
            step += 1
            guard let other = number(at: index + step), other != first else { return first }
            next = other
        }
        return next
    }

    private static func number(at index: Int) -> Int? {
        let cpu = weir_allowed_cpu(Int32(truncatingIfNeeded: index))
        return cpu < 0 ? nil : Int(cpu)
    }
}
