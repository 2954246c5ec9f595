// SPDX-License-Identifier: Apache-2.0
// The CPU budget on machines of every kind.

import Testing
import WeirHost

/// A machine and the budget that it gives to a process which may run on 16 CPUs.
struct Machine: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let files: [String: String]
    let cpus: Double
    let count: Int

    init(_ name: String, _ files: [String: String], cpus: Double, count: Int) {
        testDescription = name
        self.files = files
        self.cpus = cpus
        self.count = count
    }

    static let unifiedMount = "30 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
    static let otherMounts = """
        23 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
        24 23 0:22 / /proc rw shared:2 - proc proc rw

        """

    static func unified(_ group: String, mount: String = unifiedMount, _ files: [String: String]) -> [String: String] {
        ["/proc/self/cgroup": "0::\(group)\n", "/proc/self/mountinfo": otherMounts + mount].merging(files) { $1 }
    }

    static func legacy(_ group: String, mountRoot: String = "/", _ files: [String: String]) -> [String: String] {
        [
            "/proc/self/cgroup": "5:memory:/elsewhere\n4:cpu,cpuacct:\(group)\n1:name=systemd:/a:b\n",
            "/proc/self/mountinfo": otherMounts
                + "31 23 0:29 \(mountRoot) /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
                + "32 23 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
        ].merging(files) { $1 }
    }

    static let v1 = "/sys/fs/cgroup/cpu,cpuacct"

    static let all = [
        Machine(
            "v2, private namespace",
            unified("/", ["/sys/fs/cgroup/cpu.max": "150000 100000\n"]),
            cpus: 1.5,
            count: 2
        ),
        Machine("v2, no limit", unified("/", ["/sys/fs/cgroup/cpu.max": "max 100000\n"]), cpus: 16, count: 16),
        Machine("v2, less than a CPU", unified("/", ["/sys/fs/cgroup/cpu.max": "1000 100000"]), cpus: 0.01, count: 1),
        Machine(
            "v2, more than affinity",
            unified("/", ["/sys/fs/cgroup/cpu.max": "6400000 100000"]),
            cpus: 16,
            count: 16
        ),
        Machine("v2, other period", unified("/", ["/sys/fs/cgroup/cpu.max": "150000 50000"]), cpus: 3, count: 3),
        Machine(
            "v2, nested: the pod's limit is below the container's",
            unified(
                "/kubepods/pod1/container",
                [
                    "/sys/fs/cgroup/kubepods/cpu.max": "max 100000",
                    "/sys/fs/cgroup/kubepods/pod1/cpu.max": "200000 100000",
                    "/sys/fs/cgroup/kubepods/pod1/container/cpu.max": "400000 100000",
                ]
            ),
            cpus: 2,
            count: 2
        ),
        Machine(
            "v2, nested: the container's limit is the lowest",
            unified(
                "/kubepods/pod1/container",
                [
                    "/sys/fs/cgroup/kubepods/pod1/cpu.max": "800000 100000",
                    "/sys/fs/cgroup/kubepods/pod1/container/cpu.max": "250000 100000",
                ]
            ),
            cpus: 2.5,
            count: 3
        ),
        Machine(
            "v2, host namespace, only the container's group mounted",
            unified(
                "/kubepods/pod1/container",
                mount: "30 23 0:28 /kubepods/pod1/container /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
                ["/sys/fs/cgroup/cpu.max": "300000 100000"]
            ),
            cpus: 3,
            count: 3
        ),
        Machine(
            "v2, group outside of the namespace: the mount point counts",
            unified("/../other", ["/sys/fs/cgroup/cpu.max": "300000 100000"]),
            cpus: 3,
            count: 3
        ),
        Machine(
            "v2, group that has no folder: the groups above count",
            unified("/gone/away", ["/sys/fs/cgroup/cpu.max": "300000 100000"]),
            cpus: 3,
            count: 3
        ),
        Machine(
            "v2, mount point with a space",
            unified(
                "/",
                mount: "30 23 0:28 / /odd\\040place rw - cgroup2 cgroup2 rw\n",
                ["/odd place/cpu.max": "300000 100000"]
            ),
            cpus: 3,
            count: 3
        ),
        Machine("v2, two words short", unified("/", ["/sys/fs/cgroup/cpu.max": "100000"]), cpus: 16, count: 16),
        Machine("v2, words", unified("/", ["/sys/fs/cgroup/cpu.max": "many few"]), cpus: 16, count: 16),
        Machine("v2, period 0", unified("/", ["/sys/fs/cgroup/cpu.max": "100000 0"]), cpus: 16, count: 16),
        Machine("v2, quota 0", unified("/", ["/sys/fs/cgroup/cpu.max": "0 100000"]), cpus: 16, count: 16),
        Machine("v2, negative", unified("/", ["/sys/fs/cgroup/cpu.max": "-5 100000"]), cpus: 16, count: 16),
        Machine("v2, empty", unified("/", ["/sys/fs/cgroup/cpu.max": ""]), cpus: 16, count: 16),
        Machine("v2, a folder in its place", unified("/", ["/sys/fs/cgroup/cpu.max/x": ""]), cpus: 16, count: 16),
        Machine(
            "v2, too large",
            unified("/", ["/sys/fs/cgroup/cpu.max": "99999999999999999999 1"]),
            cpus: 16,
            count: 16
        ),
        Machine(
            "v1, limit",
            legacy("/", ["\(v1)/cpu.cfs_quota_us": "250000\n", "\(v1)/cpu.cfs_period_us": "100000\n"]),
            cpus: 2.5,
            count: 3
        ),
        Machine(
            "v1, no limit",
            legacy("/", ["\(v1)/cpu.cfs_quota_us": "-1\n", "\(v1)/cpu.cfs_period_us": "100000\n"]),
            cpus: 16,
            count: 16
        ),
        Machine(
            "v1, host namespace, only the container's group mounted",
            legacy(
                "/docker/abc",
                mountRoot: "/docker/abc",
                ["\(v1)/cpu.cfs_quota_us": "100000", "\(v1)/cpu.cfs_period_us": "100000"]
            ),
            cpus: 1,
            count: 1
        ),
        Machine(
            "v1, nested",
            legacy(
                "/docker/abc",
                [
                    "\(v1)/cpu.cfs_quota_us": "-1", "\(v1)/cpu.cfs_period_us": "100000",
                    "\(v1)/docker/cpu.cfs_quota_us": "400000", "\(v1)/docker/cpu.cfs_period_us": "100000",
                    "\(v1)/docker/abc/cpu.cfs_quota_us": "-1", "\(v1)/docker/abc/cpu.cfs_period_us": "100000",
                ]
            ),
            cpus: 4,
            count: 4
        ),
        Machine("v1, no period", legacy("/", ["\(v1)/cpu.cfs_quota_us": "250000"]), cpus: 16, count: 16),
        Machine(
            "v1, malformed",
            legacy("/", ["\(v1)/cpu.cfs_quota_us": "1 2", "\(v1)/cpu.cfs_period_us": "100000"]),
            cpus: 16,
            count: 16
        ),
        Machine(
            "hybrid: the cpu controller is in v1",
            [
                "/proc/self/cgroup": "4:cpu:/a\n0::/a\n",
                "/proc/self/mountinfo": "31 23 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
                    + "41 23 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
                "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "500000",
                "/sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000",
                "/sys/fs/cgroup/unified/a/cgroup.procs": "1",
            ],
            cpus: 5,
            count: 5
        ),
        Machine("no /proc", [:], cpus: 16, count: 16),
        Machine("no mounts", ["/proc/self/cgroup": "0::/\n"], cpus: 16, count: 16),
        Machine(
            "rubbish in /proc",
            ["/proc/self/cgroup": "0:\n::\n\u{0}\nx:y:z\n", "/proc/self/mountinfo": "- - -\n1 2 3 4 5 6 - cgroup2\n"],
            cpus: 16,
            count: 16
        ),
    ]
}

@Suite struct CPUBudgetTests {
    @Test(arguments: Machine.all)
    func `the budget is the smallest limit`(machine: Machine) {
        let root = FixtureRoot(machine.files)
        let budget = CPUBudget.read(root: root.path, allowedCount: 16)
        #expect(budget.cpus == machine.cpus, "\(budget.sources)")
        #expect(budget.count == machine.count)
    }

    @Test func `every source says what it said, from the group up to the mount point`() {
        let root = FixtureRoot(
            Machine.unified(
                "/a/b",
                ["/sys/fs/cgroup/a/b/cpu.max": "150000 100000", "/sys/fs/cgroup/a/cpu.max": "never"]
            )
        )
        #expect(
            CPUBudget.read(root: root.path, allowedCount: 4).sources == [
                CPUBudget.Source(name: "affinity", reading: .cpus(4)),
                CPUBudget.Source(name: "/sys/fs/cgroup/a/b/cpu.max", reading: .cpus(1.5)),
                CPUBudget.Source(name: "/sys/fs/cgroup/a/cpu.max", reading: .malformed("never")),
                CPUBudget.Source(name: "/sys/fs/cgroup/cpu.max", reading: .missing),
            ]
        )
    }

    @Test func `with nothing known the budget is one CPU`() {
        let root = FixtureRoot([:])
        let budget = CPUBudget.read(root: root.path, allowedCount: nil)
        #expect(budget.count == 1)
        #expect(budget.sources.map(\.reading) == [.missing, .missing, .missing])
    }

    @Test func `this machine has a budget`() {
        let budget = CPUBudget.read()
        #expect(budget.count >= 1)
        #expect(budget.count <= CPUBudget.allowedCPUs ?? .max)
    }
}
