// SPDX-License-Identifier: Apache-2.0
// How many CPUs this process may use. The number of event loops and workers comes from it.

import CWeirSystem

/// How many CPUs this process may use: the smallest of those that are online, its affinity, and the quotas of its control
/// group and of every group above that can be seen; without a quota also its CPU request.
///
/// Neither Foundation's processor count nor the Swift concurrency pool looks at quotas; a pool of the node's size in a
/// pod of one CPU is throttled by the kernel for most of each period.
package struct CPUBudget: Sendable, Equatable {
    /// How a budget is made of what the sources say: what the settings say of it.
    package struct Policy: Sendable, Equatable {
        /// What the pod was promised, in CPUs: what counts where no quota is set. Nil where that is unknown.
        package var request: Double?
        /// What becomes of a part of a CPU.
        package var rounding: Rounding

        package init(request: Double? = nil, rounding: Rounding = .up) {
            self.request = request
            self.rounding = rounding
        }
    }

    /// How a number of CPUs becomes a number of threads; it is never below one.
    package enum Rounding: String, Sendable, CaseIterable {
        /// 1.2 CPUs are two threads: no part of the quota is left unused.
        case up
        /// 1.4 CPUs are one thread, 1.5 are two.
        case nearest
        /// 1.8 CPUs are one thread: the threads alone cannot use the quota up.
        case down
    }

    /// The budget as the sources say it, such as 1.5; above 0.
    package let cpus: Double

    /// The budget as a number of threads: ``cpus`` rounded, 1 to ``countMax``.
    package let count: Int

    /// How it was made of what the sources said.
    package let policy: Policy

    /// What was looked at, what it said, and what decided; for logs and `weir budget`.
    package let budget: Budget

    /// No kernel that Swift runs on has more CPUs (`CONFIG_NR_CPUS`).
    package static let countMax = 8192

    /// Reads the budget as it is now. Nothing that it finds is an error: what cannot be read sets no limit, and says so
    /// among the sources. While the process runs, a budget with a source that is ``Budget/unread`` is no news.
    ///
    /// Reads three small files and one or two for each group: for a thread that may block, each second or so.
    ///
    /// - Parameters:
    ///   - root: the directory that stands for `/`.
    ///   - affinity: the CPUs that this process may run on; nil if that is unknown.
    package static func read(
        _ policy: Policy = Policy(),
        root: String = "/",
        affinity: Int? = processAffinity
    ) -> CPUBudget {
        let online = BudgetSource(HostFile("/sys/devices/system/cpu/online", root: root), .capacity) { text in
            CPUList.count(text).map { .amount($0) }
        }
        let allowed = BudgetSource(
            "affinity",
            .capacity,
            text: affinity.map { "\($0)" } ?? "",
            affinity.map { .amount(Double($0)) } ?? .nothing
        )
        let request = BudgetSource(
            "WEIR_CPU_REQUEST",
            .request,
            text: policy.request.map { "\($0)" } ?? "",
            policy.request.map { .amount($0) } ?? .nothing
        )
        let groups = ControlGroupFolders(controller: "cpu", root: root)
        let quotas = groups.folders.map { CPUQuota.read($0, root: root) }
        return CPUBudget(Budget(sources: [online, allowed] + groups.sources + quotas + [request]), policy)
    }

    private init(_ budget: Budget, _ policy: Policy) {
        let cpus = budget.amount ?? 1
        let rule: FloatingPointRoundingRule =
            switch policy.rounding {
            case .up: .up
            case .nearest: .toNearestOrAwayFromZero
            case .down: .down
            }
        self.cpus = cpus
        count = Int(min(max(cpus.rounded(rule), 1), Double(Self.countMax)))
        self.policy = policy
        self.budget = budget
    }

    /// How many CPUs the process's first thread may run on; nil if the kernel does not tell. Loops that are bound to one
    /// CPU do not change it, so every thread gets the same answer.
    package static var processAffinity: Int? {
        let count = weir_allowed_cpu_count()
        return count > 0 ? Int(count) : nil
    }
}
