// SPDX-License-Identifier: Apache-2.0
// Any bytes as what the kernel's files say of the machine and of control groups: budgets and figures within their bounds.

import Glibc
import WeirHost

/// The files, in the order of the parts of an input, which `==` lines part. Those that have no part stay as they are here,
/// so that an input can begin with the limits themselves.
private let files: [(path: String, text: String)] = [
    ("/sys/fs/cgroup/pod/cpu.max", "200000 100000\n"),
    ("/sys/fs/cgroup/pod/memory.max", "1073741824\n"),
    ("/sys/fs/cgroup/pod/memory.current", "104857600\n"),
    ("/sys/fs/cgroup/pod/memory.stat", "anon 4096\ninactive_file 4096\n"),
    ("/sys/fs/cgroup/pod/cpu.stat", "nr_periods 10\nnr_throttled 2\nthrottled_usec 300\n"),
    ("/sys/fs/cgroup/pod/cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=12345\n"),
    ("/sys/fs/cgroup/pod/pids.max", "1000\n"),
    ("/sys/fs/cgroup/pod/pids.current", "10\n"),
    ("/proc/self/cgroup", "0::/pod\n"),
    ("/proc/self/mountinfo", "30 24 0:26 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n"),
    ("/proc/meminfo", "MemTotal:       16265280 kB\n"),
    ("/proc/self/stat", "1 (weir) S 1 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 3 0 100 0 2000 0 0\n"),
    ("/proc/stat", "cpu  1 2 3 4 5 6 7 8 9 10\nbtime 1700000000\n"),
    ("/sys/devices/system/cpu/online", "0-3\n"),
    ("/sys/fs/cgroup/pod/cgroup.type", "domain\n"),
    ("/sys/fs/cgroup/cpu.max", "max 100000\n"),
    ("/sys/fs/cgroup/memory.max", "max\n"),
]

/// In memory; left behind, as a fuzzer has no end that it would know of.
private let root = {
    let root = "/dev/shm/weir-host-files-fuzz-\(getpid())"
    for folder in [
        "", "/proc", "/proc/self", "/sys", "/sys/fs", "/sys/fs/cgroup", "/sys/fs/cgroup/pod", "/sys/devices",
        "/sys/devices/system", "/sys/devices/system/cpu",
    ] { unsafe mkdir(root + folder, 0o700) }
    return root
}()

@c(LLVMFuzzerTestOneInput)
public func fuzzHostFiles(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let parts = parts(bytes)
    for (index, file) in files.enumerated() {
        write(index < parts.count ? parts[index] : Array(file.text.utf8), to: root + file.path)
    }
    checkBudgets()
    let pressure = HostPressure(root: root).read()
    precondition(pressure.stalls.allSatisfy { $0.seconds >= 0 }, "a stall of less than nothing")
    precondition(pressure.throttlingOwn.map { $0.throttledSeconds >= 0 } ?? true)
    let usage = ProcessUsage.read(root: root)
    precondition(usage.cpuSeconds ?? 0 >= 0 && usage.residentBytes ?? 0 >= 0, "less than nothing is used")
    return 0
}

private func checkBudgets() {
    let cpus = CPUBudget.read(root: root, affinity: 4)
    precondition((1...CPUBudget.countMax).contains(cpus.count), "no count of threads")
    let memory = MemoryBudget(root: root).usage()
    precondition(memory.usedBytes ?? 0 >= 0 && memory.limitBytes ?? 1 > 0, "less than nothing")
    for budget in [cpus.budget, memory.budget, TaskBudget.read(root: root)] {
        precondition(budget.amount ?? 1 > 0, "a budget of nothing")
        for source in budget.sources {
            // Of a quota in two files, both.
            precondition(source.text.count <= 2 * BudgetSource.textLengthMax + 1, "a whole file goes into the log")
        }
    }
}

/// What stands between the lines `==`.
private func parts(_ bytes: [UInt8]) -> [[UInt8]] {
    var parts: [[UInt8]] = [[]]
    for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
        if line.elementsEqual("==".utf8) { parts.append([]) } else { parts[parts.count - 1] += line + [0x0A] }
    }
    return parts
}

private func write(_ bytes: [UInt8], to path: String) {
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    precondition(file >= 0, "\(path): \(errno)")
    defer { close(file) }
    unsafe bytes.withUnsafeBytes { _ = unsafe Glibc.write(file, $0.baseAddress, $0.count) }
}
