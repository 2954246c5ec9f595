// SPDX-License-Identifier: Apache-2.0
// In which control groups this process is: the lines of /proc/self/cgroup (cgroups(7)). Pure.

/// One line of /proc/self/cgroup: `0::/path` for the unified hierarchy, `4:cpu,cpuacct:/path` for a v1 one.
struct ControlGroupMembership: Equatable {
    /// The line itself.
    let line: String

    /// The v1 controllers of the hierarchy; empty for the unified one.
    let controllers: [String]

    /// The group's path from the root of the process's cgroup namespace.
    let path: String

    /// Whether the line is that of cgroup v2.
    let isUnified: Bool

    init?(line: Substring) {
        // The path comes last and may hold colons.
        let fields = line.utf8
            .split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false).map { Substring($0) }
        guard fields.count == 3, Int(fields[0]) != nil, fields[2].begins(with: "/") else { return nil }
        self.line = String(line)
        controllers = fields[1].items.map(String.init)
        path = String(fields[2])
        isUnified = fields[0] == "0" && controllers.isEmpty
    }
}
