// SPDX-License-Identifier: Apache-2.0
// The CPU quota of one control group, v1 and v2.

/// Reads the CPU quota of a group's directory.
enum CPUQuota {
    /// `cpu.max` of cgroup v2: `200000 100000`, microseconds in each period, or `max 100000`.
    static func readUnified(_ directory: String, root: String) -> CPUBudget.Source {
        let file = HostFile(directory + "/cpu.max", root: root)
        return source(file) { text in
            let fields = text.split(whereSeparator: \.isWhitespace)
            guard fields.count == 2, let period = Int(fields[1]) else { return nil }
            return fields[0] == "max" ? .unlimited : Int(fields[0]).flatMap { reading(quota: $0, period: period) }
        }
    }

    /// `cpu.cfs_quota_us` and `cpu.cfs_period_us` of cgroup v1; a quota of -1 is none.
    static func readLegacy(_ directory: String, root: String) -> CPUBudget.Source {
        let quota = source(HostFile(directory + "/cpu.cfs_quota_us", root: root)) { text in
            number(text).flatMap { $0 == -1 ? .unlimited : reading(quota: $0, period: 1) }
        }
        guard case .cpus(let microseconds) = quota.reading else { return quota }
        return source(HostFile(directory + "/cpu.cfs_period_us", root: root)) { text in
            number(text).flatMap { reading(quota: Int(microseconds), period: $0) }
        }
    }

    private static func source(_ file: HostFile, parse: (String) -> CPUBudget.Reading?) -> CPUBudget.Source {
        let reading: CPUBudget.Reading =
            switch file.read() {
            case .text(let text): parse(text) ?? .malformed(String(text.prefix(80)))
            case .missing: .missing
            case .unreadable(let code): .unreadable(errno: code)
            }
        return CPUBudget.Source(name: file.path, reading: reading)
    }

    private static func number(_ text: String) -> Int? {
        let fields = text.split(whereSeparator: \.isWhitespace)
        return fields.count == 1 ? Int(fields[0]) : nil
    }

    private static func reading(quota: Int, period: Int) -> CPUBudget.Reading? {
        guard quota > 0, period > 0 else { return nil }
        return .cpus(Double(quota) / Double(period))
    }
}
