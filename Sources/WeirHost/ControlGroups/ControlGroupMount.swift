// SPDX-License-Identifier: Apache-2.0
// Where control groups are mounted: the cgroup lines of /proc/self/mountinfo (proc_pid_mountinfo(5)). Pure.

/// One mount of a cgroup hierarchy.
struct ControlGroupMount: Equatable {
    /// The group that is seen at the mount point, from the root of the process's cgroup namespace; `/..` is one above that.
    let root: String

    /// Where it is mounted.
    let mountPoint: String

    /// The v1 controllers; empty for the unified hierarchy.
    let controllers: [String]

    /// Whether the mount is of cgroup v2.
    let isUnified: Bool

    /// Nil for a line that is no cgroup mount.
    init?(line: Substring) {
        // `36 35 0:32 /root /mount/point rw,relatime shared:1 - cgroup2 cgroup2 rw`: the number of optional fields
        // before the dash varies.
        let fields = line.fields
        guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3 else { return nil }
        switch fields[dash + 1] {
        case "cgroup2":
            isUnified = true
            controllers = []
        case "cgroup":
            isUnified = false
            controllers = fields[dash + 3].items.map(String.init)
        default:
            return nil
        }
        root = Self.unescaped(fields[3])
        mountPoint = Self.unescaped(fields[4])
    }

    /// The directories of a group and its ancestors, from the group up to the mount point; nil if the mount does not
    /// show the group, or not where.
    func directories(of path: String) -> [String]? {
        let group = path.split(separator: "/")
        let top = root.split(separator: "/")
        // A `..` stands for a group above the root of the namespace, whose name is not told (cgroup_namespaces(7)). So a
        // mount whose root begins with more of them than the path does show the group, but not under what name.
        guard group.starts(with: top) else { return nil }
        var names = Array(group.dropFirst(top.count))
        // One that is left leads above the mount.
        guard !names.contains("..") else { return nil }
        let base = mountPoint == "/" ? "" : mountPoint
        var directories: [String] = []
        while !names.isEmpty {
            directories.append(base + "/" + names.joined(separator: "/"))
            names.removeLast()
        }
        return directories + [base]
    }

    /// Spaces, tabs, line ends and backslashes are written as a backslash and three octal digits.
    private static func unescaped(_ field: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = field.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), let code = UInt8(String(Substring(rest.prefix(3))), radix: 8) {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
