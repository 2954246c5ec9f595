// SPDX-License-Identifier: Apache-2.0
// Where the files of this process's control groups are.

/// The folders of the groups that this process is in, for one controller: from its own group up to the mount point, as
/// a limit of any of them holds for it.
struct ControlGroupFolders: Sendable {
    struct Folder: Sendable, Equatable {
        let path: String
        /// Whether its files are those of cgroup v2.
        let isUnified: Bool
    }

    /// A file that told nothing, and what was in it.
    struct Fault: Sendable, Equatable {
        let file: String
        let content: HostFile.Content
    }

    let folders: [Folder]
    let faults: [Fault]

    /// Looks them up, in cgroup v2, v1, or both.
    ///
    /// - Parameters:
    ///   - controller: its name, such as `cpu`.
    ///   - root: the directory that stands for `/`.
    init(controller: String, root: String) {
        let groups = Self.lines(HostFile("/proc/self/cgroup", root: root), as: ControlGroupMembership.init(line:))
        let mounts = Self.lines(HostFile("/proc/self/mountinfo", root: root), as: ControlGroupMount.init(line:))
        faults = groups.faults + mounts.faults
        var folders: [Folder] = []
        for group in groups.found where group.isUnified || group.controllers.contains(controller) {
            let matching = mounts.found.filter { mount in
                group.isUnified ? mount.isUnified : mount.controllers.contains(controller)
            }
            folders += Self.directories(of: group, in: matching).map { Folder(path: $0, isUnified: group.isUnified) }
        }
        self.folders = folders
    }

    /// The group and its ancestors in every mount that shows it. Where none does, as with a group outside of the
    /// namespace, the mount points themselves: a container's own limit is there.
    private static func directories(of group: ControlGroupMembership, in mounts: [ControlGroupMount]) -> [String] {
        let shown = mounts.compactMap { $0.directories(of: group.path) }
        return shown.isEmpty ? mounts.map(\.mountPoint) : shown.flatMap { $0 }
    }

    private static func lines<Line>(_ file: HostFile, as parse: (Substring) -> Line?) -> (
        found: [Line], faults: [Fault]
    ) {
        let content = file.read()
        guard case .text(let text) = content else { return ([], [Fault(file: file.path, content: content)]) }
        // Most mounts are none of ours, so a line that does not parse says nothing; none at all does.
        let found = text.split(separator: "\n").compactMap(parse)
        return (found, found.isEmpty ? [Fault(file: file.path, content: content)] : [])
    }
}
