// SPDX-License-Identifier: Apache-2.0
// Process usage and descriptor limits, of a made-up process and of this one.

import Glibc
import Testing
import WeirHost

@Suite struct ProcessUsageTests {
    @Test func `the fields are found behind a name with spaces and parentheses`() {
        let numbers = "S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 5 0 1000 123456 77 18446744073709551615 1 1"
        let root = FixtureRoot([
            "/proc/self/stat": "42 (a (b) c) \(numbers)\n", "/proc/stat": "cpu 1 2 3\nbtime 1700000000\nprocesses 7\n",
            "/proc/self/fd/0": "", "/proc/self/fd/1": "", "/proc/self/fd/2": "", "/proc/self/fd/3": "",
        ])
        let usage = ProcessUsage.read(root: root.path)
        // The kernel gives 100 ticks a second to user space everywhere that Swift runs.
        #expect(usage.cpuSeconds == 3)
        #expect(usage.startTimeSeconds == 1_700_000_010)
        #expect((usage.residentBytes ?? 0) % 77 == 0)
        #expect((usage.residentBytes ?? 0) >= 77 * 4096)
        #expect(usage.openDescriptors == 3)
        #expect(ProcessUsage.threadCount(root: root.path) == 5)
    }

    @Test(arguments: ["", "42", "42 (name", "42 (name) S 1", "42 (n) S x x x x x x x x x x x x x x x x x x x x x x x"])
    func `what cannot be read is nil`(stat: String) {
        let root = FixtureRoot(["/proc/self/stat": stat])
        let usage = ProcessUsage.read(root: root.path)
        #expect(usage.cpuSeconds == nil)
        #expect(usage.residentBytes == nil)
        #expect(usage.openDescriptors == nil)
        #expect(usage.startTimeSeconds == nil)
        #expect(ProcessUsage.threadCount(root: root.path) == nil)
    }

    @Test func `this process uses something`() throws {
        let usage = ProcessUsage.read()
        #expect(try #require(usage.residentBytes) > 1 << 20)
        #expect(try #require(usage.openDescriptors) >= 3)
        #expect(try #require(usage.startTimeSeconds) > 1_600_000_000)
        #expect(try #require(usage.cpuSeconds) >= 0)
        #expect(usage.descriptorsMax == DescriptorLimit.current.soft)
    }
}

@Suite(.serialized) struct OpenDescriptorsTests {
    @Test func `open descriptors are counted one by one`() throws {
        let before = try #require(ProcessUsage.read().openDescriptors)
        let opened = (0..<200).map { _ in open("/dev/null", O_RDONLY) }
        defer { for descriptor in opened { close(descriptor) } }
        // Other tests open and close some meanwhile.
        #expect(abs(try #require(ProcessUsage.read().openDescriptors) - before - 200) < 100)
    }
}

@Suite struct DescriptorLimitTests {
    @Test func `the soft limit is raised to the hard one`() {
        let limit = DescriptorLimit.raiseSoftLimitToHard()
        #expect(limit == DescriptorLimit.current)
        #expect(limit.soft == limit.hard)
        #expect(limit.soft > 0)
    }
}
