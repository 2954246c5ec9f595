// SPDX-License-Identifier: Apache-2.0
// The CPU quota of one control group, v1 and v2.

/// Reads the CPU quota of a group's directory.
enum CPUQuota {
    static func read(_ folder: ControlGroupFolders.Folder, root: String) -> BudgetSource {
        folder.isUnified ? unified(folder.path, root) : legacy(folder.path, root)
    }

    /// `cpu.max` of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst): `200000 100000`, microseconds in each period, or
    /// `max 100000`.
    private static func unified(_ directory: String, _ root: String) -> BudgetSource {
        BudgetSource(HostFile(directory + "/cpu.max", root: root), .limit) { text in
            let fields = text.words
            guard fields.count == 2, let period = Int(fields[1]) else { return nil }
            return fields[0] == "max" ? .unlimited : reading(quota: Int(fields[0]), period: period)
        }
    }

    /// `cpu.cfs_quota_us` and `cpu.cfs_period_us` of cgroup v1 (Documentation/scheduler/sched-bwc.rst); a quota of -1 is
    /// none. What it said is the two as `cpu.max` has them.
    private static func legacy(_ directory: String, _ root: String) -> BudgetSource {
        let quota = BudgetSource(HostFile(directory + "/cpu.cfs_quota_us", root: root), .limit) { text in
            number(text).flatMap { $0 == -1 ? .unlimited : reading(quota: $0, period: 1) }
        }
        guard case .amount = quota.reading else { return quota }
        let period = BudgetSource(HostFile(directory + "/cpu.cfs_period_us", root: root), .limit) { text in
            number(text).flatMap { reading(quota: number(quota.text), period: $0) }
        }
        // Without its period a quota is no limit: the fault is the period's.
        guard case .amount = period.reading else { return period }
        return BudgetSource(quota.name, .limit, text: "\(quota.text) \(period.text)", period.reading)
    }

    private static func number(_ text: String) -> Int? {
        let fields = text.words
        return fields.count == 1 ? Int(fields[0]) : nil
    }

    private static func reading(quota: Int?, period: Int) -> BudgetSource.Reading? {
        guard let quota, quota > 0, period > 0 else { return nil }
        return .amount(Double(quota) / Double(period))
    }
}
