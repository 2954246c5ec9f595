// SPDX-License-Identifier: Apache-2.0
// What a start checks of the settings once it knows how many CPUs the pod may use.

extension Settings {
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
