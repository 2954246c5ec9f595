// SPDX-License-Identifier: Apache-2.0
// Budgets while nothing can be read: no descriptor is left.

import Glibc
import Testing
import WeirHost

@Suite struct UnreadBudgetTests {
    @Test(arguments: [
        (EMFILE, true), (ENFILE, true), (ENOMEM, true), (EIO, true), (EINTR, true), (EACCES, false), (EISDIR, false),
        (ELOOP, false),
    ])
    func `a fault that says nothing of the file is told from one that does`(code: Int32, isUnread: Bool) {
        let source = BudgetSource("cpu.max", .limit, .unreadable(errno: code))
        let capacity = BudgetSource("affinity", .capacity, text: "4", .amount(4))
        let budget = Budget(sources: [capacity, source])
        #expect(source.isUnread == isUnread)
        #expect(budget.unread == (isUnread ? source : nil))
        #expect(budget.deciding == capacity)
    }

    // In a process of its own: the limit is that of all threads.
    @Test func `without a descriptor a budget is not read, and is once there is one again`() async {
        await #expect(processExitsWith: .success) {
            let cpu = FixtureRoot(Machine.unified("/", ["/sys/fs/cgroup/cpu.max": "50000 100000\n"]))
            let memory = FixtureRoot(
                Machine.unified(
                    "/",
                    [
                        "/sys/fs/cgroup/memory.max": "1000\n", "/sys/fs/cgroup/memory.current": "990\n",
                        "/sys/fs/cgroup/memory.stat": "inactive_file 100\n",
                    ]
                )
            )
            let memoryBudget = MemoryBudget(root: memory.path)
            func read() -> (cpu: CPUBudget, memory: MemoryUsage) {
                (CPUBudget.read(root: cpu.path, affinity: 4), memoryBudget.usage())
            }
            let before = read()
            try #require(before.cpu.cpus == 0.5 && before.memory.usedBytes == 890)
            #expect(before.cpu.budget.unread == nil && !before.memory.isUnread)

            let limit = DescriptorLimit.current
            var none = rlimit(rlim_cur: 3, rlim_max: rlim_t(limit.hard))
            try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &none) == 0)
            let without = read()
            DescriptorLimit.raiseSoftLimitToHard()
            #expect(without.cpu.budget.unread?.reading == .unreadable(errno: EMFILE))
            #expect(without.memory.isUnread)

            let after = read()
            #expect(after.cpu == before.cpu && after.memory == before.memory)
        }
    }
}
