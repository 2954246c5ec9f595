// SPDX-License-Identifier: Apache-2.0
// How the pod's CPU budget is made, and what a start checks of the settings once it knows it.

package import WeirHost

extension Settings {
    /// How the CPUs of the budget become a number of event loops; it is never below one.
    public enum CPURounding: String, Sendable, CaseIterable {
        /// 1.2 CPUs are two loops: no part of the quota is left unused.
        case up
        /// 1.4 CPUs are one loop, 1.5 are two.
        case nearest
        /// 1.8 CPUs are one loop: the loops alone cannot use the quota up, and the kernel does not throttle them.
        case down
    }

    /// What ``CPUBudget/read(_:root:affinity:)`` needs to know.
    package var cpuPolicy: CPUBudget.Policy {
        let rounding: CPUBudget.Rounding =
            switch cpuRounding {
            case .up: .up
            case .nearest: .nearest
            case .down: .down
            }
        return CPUBudget.Policy(request: cpuRequest, rounding: rounding)
    }

    /// Checks that what each CPU may run comes to no more than a pool may.
    package func checkConcurrency(cpus: Int) throws(SettingsError) {
        guard case .perCPU(let count) = admission.concurrency, count * cpus > Admission.countMax else { return }
        throw .refused(
            name: "WEIR_CONCURRENCY",
            value: "\(count)/cpu",
            reason: "\(count * cpus) on \(cpus) CPUs; expected at most \(Admission.countMax) in all"
        )
    }
}
