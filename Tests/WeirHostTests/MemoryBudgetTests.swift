// SPDX-License-Identifier: Apache-2.0
// The memory budget on machines of every kind.

import Testing
import WeirHost

/// A machine, and the usage and limit that it gives to a process.
struct MemoryMachine: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let files: [String: String]
    let used: Int?
    let limit: Int?

    init(_ name: String, _ files: [String: String], used: Int?, limit: Int?) {
        testDescription = name
        self.files = files
        self.used = used
        self.limit = limit
    }

    /// The files of a v2 group.
    static func group(
        _ path: String,
        current: String,
        max: String,
        high: String = "max",
        inactive: Int = 0
    ) -> [String: String] {
        [
            "/sys/fs/cgroup\(path)/memory.current": current + "\n",
            "/sys/fs/cgroup\(path)/memory.max": max + "\n",
            "/sys/fs/cgroup\(path)/memory.high": high + "\n",
            "/sys/fs/cgroup\(path)/memory.stat": "anon 5\nfile 9\ninactive_file \(inactive)\nactive_file 7\n",
        ]
    }

    static func unified(_ path: String, _ groups: [String: String]...) -> [String: String] {
        Machine.unified(path, groups.reduce([:]) { $0.merging($1) { $1 } })
    }

    /// The process is in `/docker/abc`, and that is what the mount shows.
    static func legacy(_ files: [String: String]) -> [String: String] {
        [
            "/proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/elsewhere\n",
            "/proc/self/mountinfo": Machine.otherMounts
                + "31 23 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
                + "32 23 0:30 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
        ].merging(files) { $1 }
    }

    static let v1 = "/sys/fs/cgroup/memory"

    static let all = [
        MemoryMachine(
            "v2, private namespace",
            unified("/", group("", current: "900", max: "1000", inactive: 200)),
            used: 700,
            limit: 1000
        ),
        MemoryMachine("v2, no limit", unified("/", group("", current: "900", max: "max")), used: 900, limit: nil),
        MemoryMachine(
            "v2, memory.high is the lower limit",
            unified("/", group("", current: "400", max: "1000", high: "500")),
            used: 400,
            limit: 500
        ),
        MemoryMachine(
            "v2, more is inactive than is charged: the files are read one after the other",
            unified("/", group("", current: "100", max: "1000", inactive: 200)),
            used: 0,
            limit: 1000
        ),
        MemoryMachine(
            "v2, nested: the pod is nearer to its limit than the container",
            unified(
                "/kubepods/pod1/container",
                group("/kubepods/pod1/container", current: "300", max: "1000"),
                group("/kubepods/pod1", current: "1900", max: "2000"),
                group("/kubepods", current: "50000", max: "100000")
            ),
            used: 1900,
            limit: 2000
        ),
        MemoryMachine(
            "v2, nested: the container is nearer, though its limit is not the lowest",
            unified(
                "/pod/container",
                group("/pod/container", current: "1500", max: "2000"),
                group("/pod", current: "1500", max: "max", high: "2500")
            ),
            used: 1500,
            limit: 2000
        ),
        MemoryMachine(
            "v2, nested: only a group above is limited",
            unified(
                "/pod/container",
                group("/pod/container", current: "1", max: "max"),
                group("/pod", current: "8", max: "9")
            ),
            used: 8,
            limit: 9
        ),
        MemoryMachine(
            "v2, host namespace, only the container's group mounted",
            Machine.unified(
                "/kubepods/container",
                mount: "30 23 0:28 /kubepods/container /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
                group("", current: "30", max: "40")
            ),
            used: 30,
            limit: 40
        ),
        MemoryMachine(
            "v2, group that has no folder: the groups above count",
            unified("/gone/away", group("", current: "30", max: "40")),
            used: 30,
            limit: 40
        ),
        MemoryMachine(
            "v2, no memory.stat",
            unified("/", ["/sys/fs/cgroup/memory.current": "30", "/sys/fs/cgroup/memory.max": "40"]),
            used: 30,
            limit: 40
        ),
        MemoryMachine(
            "v2, no usage: a limit without it says nothing",
            unified("/", ["/sys/fs/cgroup/memory.max": "40"]),
            used: nil,
            limit: nil
        ),
        MemoryMachine("v2, words", unified("/", group("", current: "much", max: "little")), used: nil, limit: nil),
        MemoryMachine("v2, negative", unified("/", group("", current: "-3", max: "-1")), used: nil, limit: nil),
        MemoryMachine("v2, limit 0", unified("/", group("", current: "3", max: "0")), used: 3, limit: nil),
        MemoryMachine(
            "v2, too large",
            unified("/", group("", current: "3", max: "99999999999999999999")),
            used: 3,
            limit: nil
        ),
        MemoryMachine(
            "v1, limit; what groups below it use is in the total",
            legacy([
                "\(v1)/memory.usage_in_bytes": "900\n", "\(v1)/memory.limit_in_bytes": "1000\n",
                "\(v1)/memory.stat": "inactive_file 50\ntotal_inactive_file 300\n",
            ]),
            used: 600,
            limit: 1000
        ),
        MemoryMachine(
            "v1, no limit",
            legacy(["\(v1)/memory.usage_in_bytes": "900", "\(v1)/memory.limit_in_bytes": "9223372036854771712\n"]),
            used: 900,
            limit: nil
        ),
        MemoryMachine(
            "hybrid: the memory controller is in v1",
            [
                "/proc/self/cgroup": "4:memory:/a\n0::/a\n",
                "/proc/self/mountinfo": "31 23 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                    + "41 23 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
                "\(v1)/a/memory.usage_in_bytes": "5", "\(v1)/a/memory.limit_in_bytes": "6",
                "\(v1)/memory.usage_in_bytes": "500", "\(v1)/memory.limit_in_bytes": "9223372036854771712",
                "/sys/fs/cgroup/unified/a/cgroup.procs": "1",
            ],
            used: 5,
            limit: 6
        ),
        MemoryMachine(
            "v1, a group above that the mount does not show has the lower limit",
            legacy([
                "\(v1)/memory.usage_in_bytes": "300", "\(v1)/memory.limit_in_bytes": "1000",
                "\(v1)/memory.stat": "hierarchical_memory_limit 400\ntotal_inactive_file 100\n",
            ]),
            used: 200,
            limit: 400
        ),
        MemoryMachine(
            "v1, the soft limit is none",
            legacy([
                "\(v1)/memory.usage_in_bytes": "300", "\(v1)/memory.limit_in_bytes": "9223372036854771712",
                "\(v1)/memory.soft_limit_in_bytes": "100",
                "\(v1)/memory.stat": "hierarchical_memory_limit 9223372036854771712\n",
            ]),
            used: 300,
            limit: nil
        ),
        MemoryMachine(
            "v1, no limit on pages of 64 KiB",
            legacy(["\(v1)/memory.usage_in_bytes": "900", "\(v1)/memory.limit_in_bytes": "9223372036854710272"]),
            used: 900,
            limit: nil
        ),
        MemoryMachine(
            "v2, memory.high of the pod is what it is nearest to",
            unified(
                "/pod/container",
                group("/pod/container", current: "300", max: "1000"),
                group("/pod", current: "450", max: "2000", high: "500")
            ),
            used: 450,
            limit: 500
        ),
        MemoryMachine(
            "v2, a megabyte of digits",
            unified("/", group("", current: "3", max: Machine.megabyte)),
            used: 3,
            limit: nil
        ),
        MemoryMachine("no /proc", [:], used: nil, limit: nil),
        MemoryMachine("no mounts", ["/proc/self/cgroup": "0::/\n"], used: nil, limit: nil),
    ]
}

@Suite struct MemoryBudgetTests {
    @Test(arguments: MemoryMachine.all)
    func `the usage is that of the group nearest to its limit`(machine: MemoryMachine) {
        let root = FixtureRoot(machine.files)
        let usage = MemoryBudget(root: root.path).usage()
        #expect(usage.usedBytes == machine.used, "\(usage.budget.sources)")
        #expect(usage.limitBytes == machine.limit, "\(usage.budget.sources)")
    }

    @Test func `every limit's file says what it said, from the group up to the mount point`() {
        let root = FixtureRoot(
            MemoryMachine.unified(
                "/a",
                ["/proc/meminfo": "MemTotal:       16265280 kB\nMemFree:  1 kB\n"],
                ["/sys/fs/cgroup/a/memory.max": "4096", "/sys/fs/cgroup/a/memory.high": "never"],
                ["/sys/fs/cgroup/memory.high": "max"]
            )
        )
        #expect(
            MemoryBudget(root: root.path).usage().budget.sources == [
                BudgetSource("/proc/meminfo", .capacity, text: "MemTotal: 16265280 kB", .amount(16_265_280 * 1024)),
                BudgetSource("/proc/self/cgroup", .information, text: "0::/a", .group),
                BudgetSource("/sys/fs/cgroup/a/memory.max", .limit, text: "4096", .amount(4096)),
                BudgetSource("/sys/fs/cgroup/a/memory.high", .limit, text: "never", .malformed),
                BudgetSource("/sys/fs/cgroup/memory.max", .limit, .missing),
                BudgetSource("/sys/fs/cgroup/memory.high", .limit, text: "max", .unlimited),
            ]
        )
    }

    @Test func `the files are read anew each time, and may vanish`() {
        var root: FixtureRoot? = FixtureRoot(
            MemoryMachine.unified("/", MemoryMachine.group("", current: "3", max: "4"))
        )
        let budget = MemoryBudget(root: root?.path ?? "")
        #expect(budget.usage().limitBytes == 4)
        root = nil
        let usage = budget.usage()
        #expect(usage.limitBytes == nil)
        #expect(usage.usedBytes == nil)
    }

    @Test func `this machine does not trap`() {
        let usage = MemoryBudget().usage()
        if let limit = usage.limitBytes { #expect(limit > 0) }
        if let used = usage.usedBytes { #expect(used >= 0) }
    }

    // MARK: What may be made to fit

    @Test func `the budget is the least limit of all, however near to it anybody is, or what the machine has`() {
        let machine = ["/proc/meminfo": "MemTotal:  4 kB\n"]
        func amount(_ groups: [String: String]...) -> Int? {
            let files = groups.reduce(machine) { $0.merging($1) { $1 } }
            let root = FixtureRoot(MemoryMachine.unified("/pod/container", files))
            return MemoryBudget(root: root.path).usage().budget.amount.map { Int($0) }
        }
        let container = MemoryMachine.group("/pod/container", current: "900", max: "1000")
        #expect(amount() == 4096)
        #expect(amount(container) == 1000)
        #expect(amount(container, MemoryMachine.group("/pod", current: "1", max: "800", high: "700")) == 700)
        #expect(amount(MemoryMachine.group("/pod", current: "1", max: "8000")) == 4096)
    }

    @Test(arguments: [
        "", "MemFree: 1 kB\n", "MemTotal: 1 MB\n", "MemTotal: -1 kB\n", "MemTotal: 0 kB\n", "MemTotal: kB\n",
        "MemTotal: 9223372036854775807 kB\n", "MemTotal:\n",
    ])
    func `a meminfo that says nothing does not count`(text: String) {
        let root = FixtureRoot(["/proc/meminfo": text])
        let budget = MemoryBudget(root: root.path).usage().budget
        #expect(budget.amount == nil)
        #expect([.malformed, .nothing].contains(budget.sources.first?.reading))
    }

    @Test func `the soft limit of v1 is shown`() {
        let root = FixtureRoot(
            MemoryMachine.legacy(["\(MemoryMachine.v1)/memory.soft_limit_in_bytes": "100\n"])
        )
        let budget = MemoryBudget(root: root.path).usage().budget
        let name = "\(MemoryMachine.v1)/memory.soft_limit_in_bytes"
        #expect(budget.sources.contains(BudgetSource(name, .information, text: "100", .amount(100))))
        #expect(budget.amount == nil)
    }
}
