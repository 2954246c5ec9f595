// SPDX-License-Identifier: Apache-2.0
// Where the files of this process's control groups are.

/// The folders of the groups that this process is in, for one controller: from its own group up to the mount point, as
/// a limit of any of them holds for it.
struct ControlGroupFolders: Sendable {
    struct Folder: Sendable, Equatable {
        let path: String
        /// Which group of the hierarchy it is, whatever mount shows it.
        let group: String
        /// Whether its files are those of cgroup v2.
        let isUnified: Bool
    }

    /// The process's own group first.
    let folders: [Folder]

    /// Each group once, where it was found first.
    var groups: [Folder] {
        folders.enumerated().filter { index, folder in
            !folders[..<index].contains { $0.group == folder.group }
        }.map(\.element)
    }

    /// What /proc/self/cgroup said of it, and /proc/self/mountinfo where that did not help.
    let sources: [BudgetSource]

    /// Looks them up, in cgroup v2 or v1: the kernel has a controller in one hierarchy at a time, that of v1 where
    /// /proc/self/cgroup names one for it.
    ///
    /// - Parameters:
    ///   - controller: its name, such as `cpu`.
    ///   - root: the directory that stands for `/`.
    init(controller: String, root: String) {
        self.init(controller: controller, in: ControlGroupFiles(root: root))
    }

    /// As above, in files that were read.
    init(controller: String, in files: ControlGroupFiles) {
        let groups = files.memberships
        let group =
            groups.found.first { $0.controllers.contains(controller) } ?? groups.found.first(where: \.isUnified)
        guard let group else {
            folders = []
            sources = [groups.source]
            return
        }
        let mounts = files.mounts
        let showing = mounts.found.visible.filter { mount in
            group.isUnified ? mount.isUnified : mount.controllers.contains(controller)
        }
        // The group and its ancestors in every mount that shows it. Where none does, as with a group outside of the
        // namespace, the mount points themselves: a container's own limit is there.
        let shown = showing.compactMap { $0.directories(of: group.path) }
        let isHidden = shown.isEmpty && !showing.isEmpty
        let places =
            isHidden
            ? showing.map { (path: $0.mountPoint, group: $0.root) }
            : shown.flatMap { zip($0, group.ancestry).map { (path: $0, group: $1) } }
        var found: [Folder] = []
        for (path, name) in places where !found.contains(where: { $0.path == path }) {
            found.append(Folder(path: path, group: name, isUnified: group.isUnified))
        }
        folders = found
        let place = BudgetSource(
            groups.source.name,
            .information,
            text: group.line,
            isHidden ? .hiddenGroup : .group
        )
        sources = showing.isEmpty ? [place, mounts.source] : [place]
    }
}

/// What the kernel says of this process's control groups and of where they are mounted, read once for several controllers.
struct ControlGroupFiles {
    let memberships: (found: [ControlGroupMembership], source: BudgetSource)
    let mounts: (found: [ControlGroupMount], source: BudgetSource)

    init(root: String) {
        memberships = HostFile("/proc/self/cgroup", root: root).lines(as: ControlGroupMembership.init(line:))
        mounts = HostFile("/proc/self/mountinfo", root: root).lines(as: ControlGroupMount.init(line:))
    }
}

extension ControlGroupMembership {
    /// The group's path and those of the groups above it, up to the root of the hierarchy.
    fileprivate var ancestry: [String] {
        let names = path.split(separator: "/")
        return (0...names.count).map { "/" + names.dropLast($0).joined(separator: "/") }
    }
}

extension [ControlGroupMount] {
    /// Those that no later one at the same place covers.
    fileprivate var visible: [ControlGroupMount] {
        enumerated().filter { index, mount in
            !self[(index + 1)...].contains { $0.mountPoint == mount.mountPoint }
        }.map(\.element)
    }
}

extension HostFile {
    /// The lines that parse (most mounts are none of ours), and what the file is said to be where they do not help.
    fileprivate func lines<Line>(as parse: (Substring) -> Line?) -> (found: [Line], source: BudgetSource) {
        var found: [Line] = []
        let source = BudgetSource(self, .information) { text in
            found = text.lines.compactMap(parse)
            return .nothing
        }
        return (found, source)
    }
}
