// SPDX-License-Identifier: Apache-2.0
// How many processes and threads there may be beside and of this one.

/// The limit of processes and threads: the smallest of the groups' `pids.max`, which is the same file in v1 and v2
/// (Documentation/admin-guide/cgroup-v1/pids.rst).
package enum TaskBudget {
    /// Reads it as it is now; without a limit its amount is nil.
    package static func read(root: String = "/") -> Budget {
        let groups = ControlGroupFolders(controller: "pids", root: root)
        return Budget(
            sources: groups.sources
                + groups.folders.map { folder in
                    BudgetSource(HostFile(folder.path + "/pids.max", root: root), .limit) { text in
                        let fields = text.words
                        if fields == ["max"] { return .unlimited }
                        guard fields.count == 1, let count = Int(fields[0]), count > 0 else { return nil }
                        return .amount(Double(count))
                    }
                }
        )
    }
}
