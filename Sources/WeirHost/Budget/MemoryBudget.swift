// SPDX-License-Identifier: Apache-2.0
// How much memory this process may use, and how near it is to that. Tables and buffers get their size from it, and what is
// shed before the kernel kills.

/// The control groups whose memory limits hold for this process. Found once; ``usage()`` reads them each time.
package struct MemoryBudget: Sendable {
    private let groups: ControlGroupFolders
    private let machine: BudgetSource
    private let root: String

    /// Looks for the groups. Where there are none, there is no limit.
    ///
    /// - Parameter root: the directory that stands for `/`.
    package init(root: String = "/") {
        self.root = root
        groups = ControlGroupFolders(controller: "memory", root: root)
        machine = Self.machineMemory(HostFile("/proc/meminfo", root: root))
    }

    /// The usage of the group that is nearest to its limit: its own, or one above that it shares with others, as a
    /// container does its pod's.
    ///
    /// Reads four small files for each group: for a thread that may block, each second or so.
    package func usage() -> MemoryUsage {
        let groups = groups.folders.map { MemoryGroup($0, root: root) }
        let limited = groups.compactMap { group in
            group.usedBytes.flatMap { used in group.limitBytes.map { (used: used, limit: $0) } }
        }
        let nearest = limited.max { Double($0.used) / Double($0.limit) < Double($1.used) / Double($1.limit) }
        return MemoryUsage(
            usedBytes: nearest?.used ?? groups.compactMap(\.usedBytes).first,
            limitBytes: nearest?.limit,
            isUnread: groups.contains(where: \.isUnread),
            budget: Budget(sources: [machine] + self.groups.sources + groups.flatMap(\.sources))
        )
    }

    /// `MemTotal:       16265280 kB` of /proc/meminfo (proc_meminfo(5)).
    private static func machineMemory(_ file: HostFile) -> BudgetSource {
        let name = "MemTotal:"
        var said = ""
        let source = BudgetSource(file, .capacity) { text in
            guard let line = text.lines.first(where: { $0.begins(with: name) }) else { return .nothing }
            said = String(line)
            let fields = line.words
            guard fields.count == 3, fields[2] == "kB", let kibibytes = Int(fields[1]), 1..<1 << 50 ~= kibibytes
            else { return nil }
            return .amount(Double(kibibytes) * 1024)
        }
        return BudgetSource(source.name, source.role, text: said.isEmpty ? source.text : said, source.reading)
    }
}

/// What a process uses of the memory that it may use.
package struct MemoryUsage: Sendable, Equatable {
    /// The memory in use that the kernel cannot take back at once: what the group is charged less its inactive file
    /// pages. This is the kubelet's working set, by which it evicts. Nil if it cannot be read.
    package let usedBytes: Int?

    /// The limit that ``usedBytes`` is nearest to; nil if there is none.
    package let limitBytes: Int?

    /// Whether a file could not be read for want of a descriptor, or the like. Then the others say nothing: the usage may
    /// be that of another group, or hold what the kernel can take back.
    package let isUnread: Bool

    /// The least of all limits and of what the machine has, in bytes: what may be made to fit. The sources are the
    /// limits' files from the process's own group up; for logs and `weir budget`.
    package let budget: Budget

    package init(
        usedBytes: Int?,
        limitBytes: Int?,
        isUnread: Bool = false,
        budget: Budget = Budget(sources: [])
    ) {
        self.usedBytes = usedBytes
        self.limitBytes = limitBytes
        self.isUnread = isUnread
        self.budget = budget
    }
}
