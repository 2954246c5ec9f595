// SPDX-License-Identifier: Apache-2.0
// The CPU budget on machines of every kind.

import Glibc
import Testing
import WeirHost

@Suite struct CPUBudgetTests {
    @Test(arguments: Machine.all)
    func `the budget is the smallest limit`(machine: Machine) {
        let root = FixtureRoot(machine.files)
        let budget = CPUBudget.read(root: root.path, affinity: 16)
        #expect(budget.cpus == machine.cpus, "\(budget.budget.sources)")
        #expect(budget.count == machine.count)
        if let decidedBy = machine.decidedBy { #expect(budget.budget.deciding?.name == decidedBy) }
    }

    @Test func `every source says what it said, from the group up to the mount point`() {
        let root = FixtureRoot(
            Machine.unified(
                "/a/b/c",
                [
                    "/sys/devices/system/cpu/online": "0-7\n",
                    "/sys/fs/cgroup/a/b/c/cpu.max": "150000 100000\n", "/sys/fs/cgroup/a/b/cpu.max": "never\n",
                    "/sys/fs/cgroup/a/cpu.max": "max 100000\n",
                ]
            )
        )
        let budget = CPUBudget.read(CPUBudget.Policy(request: 0.5), root: root.path, affinity: 4).budget
        #expect(
            budget.sources == [
                BudgetSource("/sys/devices/system/cpu/online", .capacity, text: "0-7", .amount(8)),
                BudgetSource("affinity", .capacity, text: "4", .amount(4)),
                BudgetSource("/proc/self/cgroup", .information, text: "0::/a/b/c", .group),
                BudgetSource("/sys/fs/cgroup/a/b/c/cpu.max", .limit, text: "150000 100000", .amount(1.5)),
                BudgetSource("/sys/fs/cgroup/a/b/cpu.max", .limit, text: "never", .malformed),
                BudgetSource("/sys/fs/cgroup/a/cpu.max", .limit, text: "max 100000", .unlimited),
                BudgetSource("/sys/fs/cgroup/cpu.max", .limit, .missing),
                BudgetSource("WEIR_CPU_REQUEST", .request, text: "0.5", .amount(0.5)),
            ]
        )
        #expect(budget.deciding == budget.sources[3])
    }

    @Test func `what a v1 quota said is quota and period`() {
        let root = FixtureRoot(
            Machine.legacy(
                "/",
                ["\(Machine.v1)/cpu.cfs_quota_us": "50000\n", "\(Machine.v1)/cpu.cfs_period_us": "100000\n"]
            )
        )
        let deciding = CPUBudget.read(root: root.path, affinity: 4).budget.deciding
        let name = "\(Machine.v1)/cpu.cfs_quota_us"
        #expect(deciding == BudgetSource(name, .limit, text: "50000 100000", .amount(0.5)))
    }

    @Test func `a group that no mount shows is said to be hidden`() {
        let root = FixtureRoot(Machine.unified("/../other", ["/sys/fs/cgroup/cpu.max": "300000 100000"]))
        let sources = CPUBudget.read(root: root.path, affinity: 4).budget.sources
        #expect(sources.contains(BudgetSource("/proc/self/cgroup", .information, text: "0::/../other", .hiddenGroup)))
    }

    @Test func `a controller that nobody has, and a hierarchy that is not mounted, are said`() {
        let memoryOnly = FixtureRoot(["/proc/self/cgroup": "4:memory:/a\n", "/proc/self/mountinfo": ""])
        #expect(
            CPUBudget.read(root: memoryOnly.path, affinity: 4).budget.sources.contains(
                BudgetSource("/proc/self/cgroup", .information, text: "4:memory:/a", .nothing)
            )
        )
        let unmounted = FixtureRoot(["/proc/self/cgroup": "0::/a\n", "/proc/self/mountinfo": Machine.otherMounts])
        let sources = CPUBudget.read(root: unmounted.path, affinity: 4).budget.sources
        #expect(sources.contains(BudgetSource("/proc/self/cgroup", .information, text: "0::/a", .group)))
        #expect(sources.contains { $0.name == "/proc/self/mountinfo" && $0.reading == .nothing })
    }

    @Test func `with nothing known the budget is one CPU`() {
        let root = FixtureRoot([:])
        let budget = CPUBudget.read(root: root.path, affinity: nil)
        #expect(budget.count == 1)
        #expect(budget.cpus == 1)
        #expect(budget.budget.deciding == nil)
        #expect(budget.budget.sources.map(\.reading) == [.missing, .nothing, .missing, .nothing])
    }

    @Test func `this machine has a budget`() {
        let budget = CPUBudget.read()
        #expect(budget.count >= 1)
        #expect(budget.count <= CPUBudget.processAffinity ?? .max)
    }

    // MARK: The request

    @Test(arguments: [
        // Without a quota the request counts, but the machine has no more than it has.
        ("max 100000", 0.5, 0.5), ("max 100000", 3, 3), ("max 100000", 64, 16), ("none", 2, 2),
        // A quota is what the kernel enforces, whatever was asked for.
        ("400000 100000", 0.5, 4), ("50000 100000", 2, 0.5),
    ])
    func `the request counts where there is no quota`(quota: String, request: Double, cpus: Double) {
        let root = FixtureRoot(Machine.unified("/", ["/sys/fs/cgroup/cpu.max": quota]))
        let budget = CPUBudget.read(CPUBudget.Policy(request: request), root: root.path, affinity: 16)
        #expect(budget.cpus == cpus)
    }

    // MARK: Rounding

    @Test(arguments: [
        ("10000 100000", 1, 1, 1), ("50000 100000", 1, 1, 1), ("100000 100000", 1, 1, 1),
        ("100100 100000", 2, 1, 1), ("149900 100000", 2, 1, 1), ("150000 100000", 2, 2, 1),
        ("199900 100000", 2, 2, 1), ("250000 100000", 3, 3, 2),
    ])
    func `a part of a CPU becomes what the policy says, and never none`(
        quota: String,
        up: Int,
        nearest: Int,
        down: Int
    ) {
        let root = FixtureRoot(Machine.unified("/", ["/sys/fs/cgroup/cpu.max": quota]))
        let counts = CPUBudget.Rounding.allCases.map { rounding in
            CPUBudget.read(CPUBudget.Policy(rounding: rounding), root: root.path, affinity: 16).count
        }
        #expect(counts == [up, nearest, down])
    }

    // MARK: What no kernel writes

    @Test(arguments: CPUBudget.Rounding.allCases)
    func `the most that a file can say is not more threads than a kernel has CPUs`(rounding: CPUBudget.Rounding) {
        let root = FixtureRoot(Machine.unified("/", ["/sys/fs/cgroup/cpu.max": "9223372036854775807 1"]))
        let budget = CPUBudget.read(CPUBudget.Policy(rounding: rounding), root: root.path, affinity: nil)
        #expect(budget.count == CPUBudget.countMax)
    }

    @Test(arguments: [
        "", "\n", "-1", "3-1", "0-", "-", "a", "0,", ",0", "0-1-2", "0 1", "0x1", "99999999999999999999",
        "0-99999999999999999999", "\u{0}", Machine.megabyte,
    ])
    func `a list of CPUs that is none does not count`(text: String) {
        let root = FixtureRoot(["/sys/devices/system/cpu/online": text])
        let budget = CPUBudget.read(root: root.path, affinity: 4)
        #expect(budget.count == 4)
        #expect(budget.budget.sources[0].reading == .malformed)
    }

    @Test func `the longest list of CPUs does not trap`() {
        let root = FixtureRoot(["/sys/devices/system/cpu/online": "0-9223372036854775807,0-9223372036854775807"])
        #expect(CPUBudget.read(root: root.path, affinity: nil).count == CPUBudget.countMax)
    }

    @Test(arguments: Machine.readFiles)
    func `a folder, a pipe and what cannot be opened in place of a file are said, and do not count`(file: String) {
        for fault in FixtureRoot.Fault.allCases {
            let root = FixtureRoot(
                Machine.legacy(
                    "/a",
                    [
                        "/sys/devices/system/cpu/online": "0-3",
                        "\(Machine.v1)/a/cpu.cfs_quota_us": "100000", "\(Machine.v1)/a/cpu.cfs_period_us": "100000",
                    ]
                )
            )
            root.replace(file, by: fault)
            let budget = CPUBudget.read(root: root.path, affinity: 2)
            #expect(budget.count == (file == "/sys/devices/system/cpu/online" ? 1 : 2))
            let source = budget.budget.sources.first { $0.name == file }
            switch fault {
            case .folder: #expect(source?.reading == .unreadable(errno: EISDIR))
            case .loop: #expect(source?.reading == .unreadable(errno: ELOOP))
            // A pipe without a writer ends at once.
            case .pipe: #expect(source?.reading == .malformed || source?.reading == .nothing)
            }
        }
    }
}

extension Machine {
    /// What a CPU budget reads in cgroup v1.
    static let readFiles = [
        "/sys/devices/system/cpu/online", "/proc/self/cgroup", "/proc/self/mountinfo", "\(v1)/a/cpu.cfs_quota_us",
        "\(v1)/a/cpu.cfs_period_us",
    ]
}
