// SPDX-License-Identifier: Apache-2.0
// What this pod may use, and what the settings make of it: what a start works with and what `weir budget` shows.

package import WeirHost

/// The budgets of one moment. Reading them blocks on some twenty small files.
package struct PodBudget: Sendable {
    package let cpu: CPUBudget
    package let memory: MemoryUsage
    package let descriptors: DescriptorLimit
    /// Processes and threads.
    package let tasks: Budget
    /// What comes of it where the settings leave it to Weir.
    package let sizes: PodSizes

    package init(cpu: CPUBudget, memory: MemoryUsage, descriptors: DescriptorLimit, tasks: Budget, sizes: PodSizes) {
        self.cpu = cpu
        self.memory = memory
        self.descriptors = descriptors
        self.tasks = tasks
        self.sizes = sizes
    }

    /// Reads them. Nothing that it finds is an error.
    ///
    /// - Parameters:
    ///   - hasUpstreams: as for `PodSizes`.
    ///   - root: the directory that stands for `/`. Affinity and descriptors are this process's all the same.
    package static func read(_ settings: Settings, hasUpstreams: Bool, root: String = "/") -> PodBudget {
        let cpu = CPUBudget.read(settings.cpuPolicy, root: root)
        let memory = MemoryBudget(root: root).usage()
        let descriptors = DescriptorLimit.current
        return PodBudget(
            cpu: cpu,
            memory: memory,
            descriptors: descriptors,
            tasks: TaskBudget.read(root: root),
            // A start raises the soft limit to the hard one.
            sizes: PodSizes(
                settings,
                cpus: cpu.count,
                memoryBytes: memory.budget.bytes,
                descriptors: descriptors.hard,
                hasUpstreams: hasUpstreams
            )
        )
    }
}

extension Budget {
    /// The amount of a budget in bytes.
    package var bytes: Int? { amount.map { Int($0) } }
}
