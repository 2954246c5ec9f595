// SPDX-License-Identifier: Apache-2.0
// The limit of processes and threads, and that of descriptors as a budget.

import Testing
import WeirHost

@Suite struct TaskBudgetTests {
    private static let groups: [(String, String, Double?)] = [
        ("100\n", "70\n", 70), ("100\n", "max\n", 100), ("max\n", "max\n", nil), ("many", "-3", nil),
        ("", "0", nil), ("9223372036854775808", "5 6", nil),
    ]

    @Test(arguments: groups)
    func `the smallest pids.max counts, of v2 and v1 alike`(own: String, above: String, amount: Double?) {
        let unified = FixtureRoot(
            Machine.unified("/a/b", ["/sys/fs/cgroup/a/b/pids.max": own, "/sys/fs/cgroup/a/pids.max": above])
        )
        #expect(TaskBudget.read(root: unified.path).amount == amount)
        let legacy = FixtureRoot([
            "/proc/self/cgroup": "8:pids:/a/b\n0::/\n",
            "/proc/self/mountinfo": "39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n",
            "/sys/fs/cgroup/pids/a/b/pids.max": own, "/sys/fs/cgroup/pids/a/pids.max": above,
        ])
        #expect(TaskBudget.read(root: legacy.path).amount == amount)
    }

    @Test func `the hard limit of descriptors decides, and no limit is said`() {
        let limited = DescriptorLimit(soft: 1024, hard: 4096).budget
        #expect(limited.amount == 4096)
        #expect(limited.sources.map(\.text) == ["1024", "4096"])
        let unlimited = DescriptorLimit(soft: 1024, hard: .max).budget
        #expect(unlimited.amount == nil)
        #expect(unlimited.sources.last?.reading == .unlimited)
    }
}
