// SPDX-License-Identifier: Apache-2.0
// CPU time that a hypervisor gave to others: the first line of /proc/stat.

import Glibc

enum StolenTime {
    /// Of all CPUs of the machine together; nil where the kernel does not count it.
    static func seconds(root: String) -> Double? {
        guard case .text(let text) = HostFile("/proc/stat", root: root).read(),
            let line = text.split(separator: "\n", maxSplits: 1).first
        else { return nil }
        // `cpu user nice system idle iowait irq softirq steal …` (proc_stat(5)).
        let fields = line.words
        guard fields.count > 8, fields[0] == "cpu", let ticks = UInt64(fields[8]) else { return nil }
        return Double(ticks) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}
