// SPDX-License-Identifier: Apache-2.0
// How much memory this process may use, and how near it is to that. What is shed before the kernel kills comes from it.

/// The control groups whose memory limits hold for this process. Found once; ``usage()`` reads them each time.
package struct MemoryBudget: Sendable {
    private let folders: [ControlGroupFolders.Folder]
    private let root: String

    /// Looks for the groups. Where there are none, there is no limit.
    ///
    /// - Parameter root: the directory that stands for `/`.
    package init(root: String = "/") {
        self.root = root
        folders = ControlGroupFolders(controller: "memory", root: root).folders
    }

    /// The usage of the group that is nearest to its limit: its own, or one above that it shares with others, as a
    /// container does its pod's.
    ///
    /// Reads three or four small files for each group: for a thread that may block, each second or so.
    package func usage() -> MemoryUsage {
        let groups = folders.map { MemoryGroup(folder: $0, root: root) }
        let limited = groups.compactMap { group in
            group.usedBytes.flatMap { used in group.limitBytes.map { (used: used, limit: $0) } }
        }
        let nearest = limited.max { Double($0.used) / Double($0.limit) < Double($1.used) / Double($1.limit) }
        return MemoryUsage(
            usedBytes: nearest?.used ?? groups.compactMap(\.usedBytes).first,
            limitBytes: nearest?.limit,
            sources: groups.flatMap(\.sources)
        )
    }
}

/// What a process uses of the memory that it may use.
package struct MemoryUsage: Sendable, Equatable {
    /// The memory in use that the kernel cannot take back at once: what the group is charged less its inactive file
    /// pages. This is the kubelet's working set, by which it evicts. Nil if it cannot be read.
    package let usedBytes: Int?

    /// The limit that ``usedBytes`` is nearest to; nil if there is none.
    package let limitBytes: Int?

    /// What the limits' files said, from the process's own group up; for logs and `weir budget`.
    package let sources: [Source]

    package init(usedBytes: Int?, limitBytes: Int?, sources: [Source] = []) {
        self.usedBytes = usedBytes
        self.limitBytes = limitBytes
        self.sources = sources
    }

    /// One file that was looked at.
    package struct Source: Sendable, Equatable {
        package let name: String
        package let reading: Reading

        package init(name: String, reading: Reading) {
            self.name = name
            self.reading = reading
        }
    }

    /// What one file said.
    package enum Reading: Sendable, Equatable {
        case bytes(Int)

        /// That there is no limit.
        case unlimited

        /// Nothing, as it does not exist: the topmost group has no limit's file.
        case missing

        /// Something that is not of the documented form; its beginning.
        case malformed(String)

        /// Nothing, as it could not be read.
        case unreadable(errno: Int32)
    }
}
