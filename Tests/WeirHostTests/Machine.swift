// SPDX-License-Identifier: Apache-2.0
// Machines whose files are as the kernel writes them (cgroups(7), cgroup_namespaces(7), proc_pid_mountinfo(5), and in its
// Documentation admin-guide/cgroup-v1, admin-guide/cgroup-v2.rst, scheduler/sched-bwc.rst), and as nobody should.

import Testing

/// A machine and the budget that it gives to a process which may run on 16 CPUs.
struct Machine: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let files: [String: String]
    let cpus: Double
    let count: Int
    /// Who decides; nil where the table does not say.
    let decidedBy: String?

    init(_ name: String, _ files: [String: String], cpus: Double, count: Int, decidedBy: String? = nil) {
        testDescription = name
        self.files = files
        self.cpus = cpus
        self.count = count
        self.decidedBy = decidedBy
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
    static let kubeSlices = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod7c1e.slice"
    static let megabyte = String(repeating: "7", count: 3 << 20)

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
        Machine(
            "v2, a service of systemd: its slice is limited further",
            unified(
                "/system.slice/weir.service",
                [
                    "/sys/fs/cgroup/cgroup.controllers": "cpu memory pids\n",
                    "/sys/fs/cgroup/system.slice/cpu.max": "150000 100000\n",
                    "/sys/fs/cgroup/system.slice/weir.service/cpu.max": "200000 100000\n",
                ]
            ),
            cpus: 1.5,
            count: 2,
            decidedBy: "/sys/fs/cgroup/system.slice/cpu.max"
        ),
        Machine(
            "v2, Kubernetes with systemd slices, host namespace and the whole tree mounted",
            unified(
                "\(kubeSlices)/cri-containerd-4e3a.scope",
                [
                    "/sys/fs/cgroup/kubepods.slice/cpu.max": "max 100000\n",
                    "/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/cpu.max": "max 100000\n",
                    "/sys/fs/cgroup\(kubeSlices)/cpu.max": "70000 100000\n",
                    "/sys/fs/cgroup\(kubeSlices)/cri-containerd-4e3a.scope/cpu.max": "50000 100000\n",
                ]
            ),
            cpus: 0.5,
            count: 1,
            decidedBy: "/sys/fs/cgroup\(kubeSlices)/cri-containerd-4e3a.scope/cpu.max"
        ),
        Machine(
            "v2, mount of a namespace above: the group is two levels below what it shows, under names that are told",
            unified(
                "/../other/child",
                mount: "30 23 0:28 /.. /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
                [
                    "/sys/fs/cgroup/cpu.max": "max 100000", "/sys/fs/cgroup/other/cpu.max": "300000 100000",
                    "/sys/fs/cgroup/other/child/cpu.max": "400000 100000",
                ]
            ),
            cpus: 3,
            count: 3,
            decidedBy: "/sys/fs/cgroup/other/cpu.max"
        ),
        Machine(
            "v2, mount of a namespace above: under which name the group is below it is not told",
            unified(
                "/",
                mount: "30 23 0:28 /../.. /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
                ["/sys/fs/cgroup/cpu.max": "300000 100000"]
            ),
            cpus: 3,
            count: 3
        ),
        Machine(
            "v2, group two levels above the namespace: the mount point counts",
            unified("/../..", ["/sys/fs/cgroup/cpu.max": "300000 100000"]),
            cpus: 3,
            count: 3
        ),
        Machine(
            "v2, group that was removed",
            unified("/gone (deleted)", ["/sys/fs/cgroup/cpu.max": "300000 100000"]),
            cpus: 3,
            count: 3
        ),
        Machine(
            "v2, group with colons and a space in its name",
            unified("/a:b/c d", ["/sys/fs/cgroup/a:b/c d/cpu.max": "300000 100000"]),
            cpus: 3,
            count: 3
        ),
        Machine(
            "v2, mounted twice: both are looked at",
            unified(
                "/a/b",
                mount: unifiedMount + "40 23 0:28 /a /elsewhere rw - cgroup2 cgroup2 rw\n",
                ["/sys/fs/cgroup/cpu.max": "300000 100000", "/elsewhere/b/cpu.max": "200000 100000"]
            ),
            cpus: 2,
            count: 2
        ),
        Machine(
            "v2, a mount that another covers is not looked at",
            unified(
                "/a/b",
                mount: "29 23 0:28 /a /sys/fs/cgroup ro - cgroup2 cgroup rw\n" + unifiedMount,
                // Seen through the covered mount this would be /a/b, and is another group's.
                ["/sys/fs/cgroup/b/cpu.max": "100000 100000", "/sys/fs/cgroup/a/b/cpu.max": "300000 100000"]
            ),
            cpus: 3,
            count: 3
        ),
        Machine(
            "v2, optional fields of a mount",
            unified(
                "/",
                mount: "30 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 master:7 propagate_from:2 - cgroup2 none rw\n",
                ["/sys/fs/cgroup/cpu.max": "300000 100000"]
            ),
            cpus: 3,
            count: 3
        ),
        Machine(
            "v2, the longest quota and the shortest period",
            unified("/", ["/sys/fs/cgroup/cpu.max": "9223372036854775807 1"]),
            cpus: 16,
            count: 16
        ),
        Machine("v2, a megabyte of digits", unified("/", ["/sys/fs/cgroup/cpu.max": megabyte]), cpus: 16, count: 16),
        Machine(
            "v1, cpuacct before cpu",
            [
                "/proc/self/cgroup": "3:cpuacct,cpu:/docker/abc\n",
                "/proc/self/mountinfo": "31 23 0:29 / /sys/fs/cgroup/cpuacct,cpu rw - cgroup cgroup rw,cpuacct,cpu\n",
                "/sys/fs/cgroup/cpuacct,cpu/docker/abc/cpu.cfs_quota_us": "300000",
                "/sys/fs/cgroup/cpuacct,cpu/docker/abc/cpu.cfs_period_us": "100000",
            ],
            cpus: 3,
            count: 3
        ),
        Machine(
            "v1, cpuset is not cpu",
            [
                "/proc/self/cgroup": "4:cpuset:/a\n3:cpu:/b\n",
                "/proc/self/mountinfo": "31 23 0:29 / /cpuset rw - cgroup cgroup rw,cpuset\n"
                    + "32 23 0:30 / /cpu rw - cgroup cgroup rw,cpu\n",
                "/cpuset/a/cpu.cfs_quota_us": "100000", "/cpuset/a/cpu.cfs_period_us": "100000",
                "/cpu/b/cpu.cfs_quota_us": "300000", "/cpu/b/cpu.cfs_period_us": "100000",
            ],
            cpus: 3,
            count: 3
        ),
        Machine(
            "v1, private namespace",
            legacy("/", ["\(v1)/cpu.cfs_quota_us": "50000\n", "\(v1)/cpu.cfs_period_us": "100000\n"]),
            cpus: 0.5,
            count: 1,
            decidedBy: "\(v1)/cpu.cfs_quota_us"
        ),
        Machine(
            "v1, Kubernetes with cgroupfs: the pod's limit is below the container's",
            legacy(
                "/kubepods/burstable/pod7c1e/4e3a",
                [
                    "\(v1)/kubepods/cpu.cfs_quota_us": "-1", "\(v1)/kubepods/cpu.cfs_period_us": "100000",
                    "\(v1)/kubepods/burstable/pod7c1e/cpu.cfs_quota_us": "120000",
                    "\(v1)/kubepods/burstable/pod7c1e/cpu.cfs_period_us": "100000",
                    "\(v1)/kubepods/burstable/pod7c1e/4e3a/cpu.cfs_quota_us": "400000",
                    "\(v1)/kubepods/burstable/pod7c1e/4e3a/cpu.cfs_period_us": "100000",
                ]
            ),
            cpus: 1.2,
            count: 2,
            decidedBy: "\(v1)/kubepods/burstable/pod7c1e/cpu.cfs_quota_us"
        ),
        Machine(
            "v1, quota 0",
            legacy("/", ["\(v1)/cpu.cfs_quota_us": "0", "\(v1)/cpu.cfs_period_us": "100000"]),
            cpus: 16,
            count: 16
        ),
        Machine(
            "v1, a word for the period",
            legacy("/", ["\(v1)/cpu.cfs_quota_us": "250000", "\(v1)/cpu.cfs_period_us": "often"]),
            cpus: 16,
            count: 16
        ),
        Machine(
            "v1, period 0",
            legacy("/", ["\(v1)/cpu.cfs_quota_us": "250000", "\(v1)/cpu.cfs_period_us": "0"]),
            cpus: 16,
            count: 16
        ),
        Machine(
            "v1, only the group above is mounted: another group's folder is no place to look, the mount point is",
            legacy(
                "/docker/xyz",
                mountRoot: "/docker/abc",
                ["\(v1)/cpu.cfs_quota_us": "300000", "\(v1)/cpu.cfs_period_us": "100000"]
            ),
            cpus: 3,
            count: 3
        ),
        Machine(
            "hybrid: the unified hierarchy has no cpu controller, whatever is in its folders",
            [
                "/proc/self/cgroup": "4:cpu,cpuacct:/a\n0::/a\n",
                "/proc/self/mountinfo": "31 23 0:29 / \(v1) rw - cgroup cgroup rw,cpu,cpuacct\n"
                    + "41 23 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
                "\(v1)/a/cpu.cfs_quota_us": "-1", "\(v1)/a/cpu.cfs_period_us": "100000",
                "/sys/fs/cgroup/unified/a/cpu.max": "100000 100000",
            ],
            cpus: 16,
            count: 16
        ),
        Machine(
            "hybrid: the cpu controller is in v2, memory in v1",
            [
                "/proc/self/cgroup": "4:memory:/m\n0::/a\n",
                "/proc/self/mountinfo": "31 23 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                    + "41 23 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
                "/sys/fs/cgroup/unified/a/cpu.max": "300000 100000",
            ],
            cpus: 3,
            count: 3
        ),
        Machine(
            "fewer CPUs are online than the affinity allows",
            ["/sys/devices/system/cpu/online": "0-1,4-6,9\n"],
            cpus: 6,
            count: 6,
            decidedBy: "/sys/devices/system/cpu/online"
        ),
        Machine(
            "more CPUs are online than the affinity allows",
            ["/sys/devices/system/cpu/online": "0-63\n"],
            cpus: 16,
            count: 16,
            decidedBy: "affinity"
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
