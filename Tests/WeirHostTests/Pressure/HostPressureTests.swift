// SPDX-License-Identifier: Apache-2.0
// What holds a process up from outside, on machines of every kind.

import Testing
import WeirHost

@Suite struct HostPressureTests {
    private static let v2 = "/sys/fs/cgroup"
    private static let quotaStatistics = """
        usage_usec 900
        user_usec 500
        system_usec 400
        nr_periods 120
        nr_throttled 30
        throttled_usec 4500000
        nr_bursts 0

        """

    private static func read(_ files: [String: String]) -> PressureReading {
        let root = FixtureRoot(files)
        return withExtendedLifetime(root) { HostPressure(root: root.path).read() }
    }

    private static func stall(_ some: String, _ full: String? = nil) -> String {
        let averages = "avg10=1.50 avg60=0.80 avg300=0.20"
        return "some \(averages) total=\(some)\n" + (full.map { "full \(averages) total=\($0)\n" } ?? "")
    }

    // MARK: CPU quota

    @Test func `v2 tells how often and for how long the quota stopped the group`() {
        let reading = Self.read(Machine.unified("/", ["\(Self.v2)/cpu.stat": Self.quotaStatistics]))
        #expect(
            reading.throttlingOwn == CPUThrottling(periods: 120, throttledPeriods: 30, throttledSeconds: 4.5)
        )
        #expect(reading.throttlingAbove == nil)
    }

    @Test func `v1 tells it in nanoseconds`() {
        let text = "nr_periods 7\nnr_throttled 2\nthrottled_time 1500000000\n"
        let reading = Self.read(Machine.legacy("/", ["\(Machine.v1)/cpu.stat": text]))
        #expect(reading.throttlingOwn == CPUThrottling(periods: 7, throttledPeriods: 2, throttledSeconds: 1.5))
    }

    @Test func `the groups above are told together, apart from the own`() {
        func statistics(_ count: Int) -> String { "nr_periods \(count)\nnr_throttled 1\nthrottled_usec 1000000\n" }
        let reading = Self.read(
            Machine.unified(
                "/pod/container",
                [
                    "\(Self.v2)/pod/container/cpu.stat": statistics(5), "\(Self.v2)/pod/cpu.stat": statistics(10),
                    "\(Self.v2)/cpu.stat": statistics(100),
                ]
            )
        )
        #expect(reading.throttlingOwn == CPUThrottling(periods: 5, throttledPeriods: 1, throttledSeconds: 1))
        #expect(reading.throttlingAbove == CPUThrottling(periods: 110, throttledPeriods: 2, throttledSeconds: 2))
    }

    @Test func `a hierarchy that is mounted twice is counted once`() {
        func statistics(_ count: Int) -> String { "nr_periods \(count)\nnr_throttled 0\nthrottled_usec 0\n" }
        // The second mount shows the pod's group alone, at its mount point.
        let second = "40 23 0:28 /pod /mnt/pod rw - cgroup2 cgroup2 rw\n"
        var files: [String: String] = [:]
        for top in ["\(Self.v2)/pod", "/mnt/pod"] {
            files["\(top)/container/cpu.stat"] = statistics(5)
            files["\(top)/cpu.stat"] = statistics(10)
        }
        let reading = Self.read(Machine.unified("/pod/container", mount: Machine.unifiedMount + second, files))
        #expect(reading.throttlingOwn?.periods == 5)
        #expect(reading.throttlingAbove?.periods == 10)
    }

    @Test func `a group without the controller does not lend the parent's figures to the own`() {
        let reading = Self.read(
            Machine.unified(
                "/pod/container",
                [
                    "\(Self.v2)/pod/container/cpu.stat": "usage_usec 900\n",
                    "\(Self.v2)/pod/cpu.stat": Self.quotaStatistics,
                ]
            )
        )
        #expect(reading.throttlingOwn == nil)
        #expect(reading.throttlingAbove?.periods == 120)
    }

    @Test(arguments: [
        "", "nr_periods", "nr_periods x\nnr_throttled 1\nthrottled_usec 1\n", "nr_periods 1\nnr_throttled 1\n",
        "nr_periods -1\nnr_throttled 1\nthrottled_usec 1\n",
        "nr_periods 99999999999999999999999\nnr_throttled 1\nthrottled_usec 1\n", "\u{0}\u{1}\n\n  \n",
    ])
    func `a malformed cpu.stat tells nothing`(text: String) {
        let reading = Self.read(Machine.unified("/", ["\(Self.v2)/cpu.stat": text]))
        #expect(reading.throttlingOwn == nil)
    }

    @Test func `a hierarchy that is too deep is read as far up as the bound goes`() {
        let group = "/" + (1...40).map { "g\($0)" }.joined(separator: "/")
        var files = ["\(Self.v2)\(group)/cpu.stat": "nr_periods 1\nnr_throttled 0\nthrottled_usec 0\n"]
        files["\(Self.v2)/cpu.stat"] = Self.quotaStatistics
        let reading = Self.read(Machine.unified(group, files))
        #expect(reading.throttlingOwn?.periods == 1)
        #expect(reading.throttlingAbove == nil)
    }

    // MARK: Stalls

    @Test func `the group's own stalls come before the machine's`() {
        let reading = Self.read(
            Machine.unified(
                "/a",
                [
                    "\(Self.v2)/a/cgroup.type": "domain\n",
                    "\(Self.v2)/a/cpu.pressure": Self.stall("2500000", "500000"),
                    "\(Self.v2)/a/memory.pressure": Self.stall("1000000", "0"),
                    "/proc/pressure/cpu": Self.stall("9000000", "0"),
                    "/proc/pressure/io": Self.stall("7000000", "3000000"),
                ]
            )
        )
        #expect(
            reading.stalls == [
                PressureStall(.cpu, .some, .cgroup, seconds: 2.5), PressureStall(.cpu, .full, .cgroup, seconds: 0.5),
                PressureStall(.memory, .some, .cgroup, seconds: 1), PressureStall(.memory, .full, .cgroup, seconds: 0),
                PressureStall(.io, .some, .node, seconds: 7), PressureStall(.io, .full, .node, seconds: 3),
            ]
        )
    }

    @Test func `in a hybrid hierarchy stalls are those of v2, and the quota is that of v1`() {
        let reading = Self.read([
            "/proc/self/cgroup": "4:cpu:/a\n0::/b\n",
            "/proc/self/mountinfo": "31 23 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
                + "41 23 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            "/sys/fs/cgroup/cpu/a/cpu.stat": "nr_periods 7\nnr_throttled 2\nthrottled_time 1500000000\n",
            "/sys/fs/cgroup/unified/b/cgroup.type": "domain\n",
            "/sys/fs/cgroup/unified/b/cpu.pressure": Self.stall("4000000"),
        ])
        #expect(reading.throttlingOwn?.periods == 7)
        #expect(reading.stalls == [PressureStall(.cpu, .some, .cgroup, seconds: 4)])
    }

    @Test func `the root of the hierarchy is the machine, whatever it writes`() {
        let reading = Self.read([
            "/proc/self/cgroup": "4:cpu:/a\n0::/\n",
            "/proc/self/mountinfo": "41 23 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            "/sys/fs/cgroup/unified/cpu.pressure": Self.stall("9000000", "0"),
            "/proc/pressure/cpu": Self.stall("9000000", "0"),
        ])
        #expect(reading.stalls == [PressureStall(.cpu, .some, .node, seconds: 9)])
    }

    @Test func `a container's group is its own, also where its namespace calls it the root`() {
        let files = [
            "\(Self.v2)/cgroup.type": "domain threaded\n",
            "\(Self.v2)/cpu.pressure": Self.stall("2500000", "500000"),
            "/proc/pressure/cpu": Self.stall("9000000", "0"),
        ]
        #expect(
            Self.read(Machine.unified("/", files)).stalls == [
                PressureStall(.cpu, .some, .cgroup, seconds: 2.5), PressureStall(.cpu, .full, .cgroup, seconds: 0.5),
            ]
        )
    }

    @Test func `the zero that a machine writes for a full CPU is not told`() {
        let reading = Self.read(["/proc/pressure/cpu": Self.stall("9000000", "0")])
        #expect(reading.stalls == [PressureStall(.cpu, .some, .node, seconds: 9)])
    }

    @Test(arguments: [
        "", "some", "some total=", "some total=x", "most avg10=0.00 total=1", "some avg10=0.00 total=1 more=2",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=99999999999999999999999", "total=5",
    ])
    func `malformed pressure tells nothing`(text: String) {
        #expect(Self.read(["/proc/pressure/memory": text]).stalls == [])
    }

    // MARK: Tasks

    @Test(arguments: [("12\n", "100\n", 100), ("12\n", "max\n", nil), ("12", "0\n", nil), ("12", "x", nil)])
    func `tasks have a number and maybe a bound`(current: String, max: String, bound: Int?) {
        let files = ["\(Self.v2)/pids.current": current, "\(Self.v2)/pids.max": max]
        #expect(Self.read(Machine.unified("/", files)).tasks == TaskCount(current: 12, max: bound))
    }

    @Test func `the group that is nearest to its bound is told`() {
        let reading = Self.read(
            Machine.unified(
                "/pod/container",
                [
                    "\(Self.v2)/pod/container/pids.current": "10", "\(Self.v2)/pod/container/pids.max": "1000",
                    "\(Self.v2)/pod/pids.current": "90", "\(Self.v2)/pod/pids.max": "100",
                    "\(Self.v2)/pids.current": "5000",
                ]
            )
        )
        #expect(reading.tasks == TaskCount(current: 90, max: 100))
    }

    @Test func `v1 has the same files`() {
        let reading = Self.read([
            "/proc/self/cgroup": "8:pids:/docker/abc\n",
            "/proc/self/mountinfo": "31 23 0:29 /docker/abc /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n",
            "/sys/fs/cgroup/pids/pids.current": "4", "/sys/fs/cgroup/pids/pids.max": "64",
        ])
        #expect(reading.tasks == TaskCount(current: 4, max: 64))
    }

    // MARK: Steal

    @Test func `steal is the eighth number of all CPUs together`() {
        // The kernel gives 100 ticks a second to user space everywhere that Swift runs.
        let reading = Self.read(["/proc/stat": "cpu  10 20 30 40 50 60 70 1250 90 100\ncpu0 1 2 3 4 5 6 7 8 9 10\n"])
        #expect(reading.stealSeconds == 12.5)
    }

    @Test(arguments: ["", "cpu 1 2 3 4\n", "cpu 1 2 3 4 5 6 7 x 9\n", "intr 1 2 3 4 5 6 7 8 9\n"])
    func `a malformed stat tells nothing`(text: String) {
        #expect(Self.read(["/proc/stat": text]).stealSeconds == nil)
    }

    // MARK: All

    @Test func `a machine that tells nothing gives an empty reading`() {
        let nothing = PressureReading()
        #expect(Self.read([:]) == nothing)
    }

    @Test func `files that are too large are read in part, and what stands first counts`() {
        let rest = String(repeating: "intr 1 2 3\n", count: 300_000)
        let reading = Self.read(
            Machine.unified(
                "/",
                [
                    "/proc/stat": "cpu 1 2 3 4 5 6 7 100 9\n" + rest,
                    "\(Self.v2)/cpu.stat": Self.quotaStatistics + rest, "\(Self.v2)/pids.current": "1" + rest,
                ]
            )
        )
        #expect(reading.stealSeconds == 1)
        #expect(reading.throttlingOwn?.periods == 120)
        #expect(reading.tasks == nil)
    }

    @Test func `this machine's counters never step back`() {
        let pressure = HostPressure()
        let before = pressure.read()
        let after = pressure.read()
        #expect((after.stealSeconds ?? 0) >= (before.stealSeconds ?? 0))
        #expect((after.throttlingOwn?.periods ?? 0) >= (before.throttlingOwn?.periods ?? 0))
        #expect(after.stalls.map(\.resource) == before.stalls.map(\.resource))
        #expect(zip(before.stalls, after.stalls).allSatisfy { $0.seconds <= $1.seconds })
    }
}
