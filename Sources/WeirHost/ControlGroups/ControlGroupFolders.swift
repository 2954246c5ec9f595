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

    /// The process's own group first.
    let folders: [Folder]

    /// What /proc/self/cgroup and /proc/self/mountinfo said of it.
    let sources: [BudgetSource]

    /// Looks them up, in cgroup v2 or v1: the kernel has a controller in one hierarchy at a time, that of v1 where
    /// /proc/self/cgroup names one for it.
    ///
    /// - Parameters:
    ///   - controller: its name, such as `cpu`.
    ///   - root: the directory that stands for `/`.
    init(controller: String, root: String) {
        let groups = HostFile("/proc/self/cgroup", root: root)
        let mounts = HostFile("/proc/self/mountinfo", root: root)
        let memberships: [ControlGroupMembership]
        switch groups.lines(as: ControlGroupMembership.init(line:)) {
        case .found(let found): memberships = found
        case .nothing(let source):
            self.init(folders: [], sources: [source])
            return
        }
        guard
            let group = memberships.first(where: { $0.controllers.contains(controller) })
                ?? memberships.first(where: \.isUnified)
        else {
            self.init(folders: [], sources: [BudgetSource(groups.path, .information, .nothing)])
            return
        }
        switch mounts.lines(as: ControlGroupMount.init(line:)) {
        case .found(let found):
            let showing = found.filter { group.isUnified ? $0.isUnified : $0.controllers.contains(controller) }
            self.init(group, said: groups.path, in: showing.visible, mountTable: mounts.path)
        case .nothing(let source):
            self.init(folders: [], sources: [BudgetSource(groups.path, .information, text: group.line, .group), source])
        }
    }

    /// The group and its ancestors in every mount that shows it. Where none does, as with a group outside of the
    /// namespace, the mount points themselves: a container's own limit is there.
    private init(
        _ group: ControlGroupMembership,
        said file: String,
        in mounts: [ControlGroupMount],
        mountTable: String
    ) {
        let shown = mounts.compactMap { $0.directories(of: group.path) }
        let isHidden = shown.isEmpty && !mounts.isEmpty
        var paths: [String] = []
        for path in isHidden ? mounts.map(\.mountPoint) : shown.flatMap(\.self) where !paths.contains(path) {
            paths.append(path)
        }
        let place = BudgetSource(file, .information, text: group.line, isHidden ? .hiddenGroup : .group)
        self.init(
            folders: paths.map { Folder(path: $0, isUnified: group.isUnified) },
            sources: mounts.isEmpty ? [place, BudgetSource(mountTable, .information, .nothing)] : [place]
        )
    }

    private init(folders: [Folder], sources: [BudgetSource]) {
        self.folders = folders
        self.sources = sources
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
    fileprivate enum Lines<Line> {
        case found([Line])
        /// Why there are none.
        case nothing(BudgetSource)
    }

    /// The lines that parse. Most mounts are none of ours, so a line that does not says nothing; none at all does.
    fileprivate func lines<Line>(as parse: (Substring) -> Line?) -> Lines<Line> {
        var found: [Line] = []
        let source = BudgetSource(self, .information) { text in
            found = text.split(separator: "\n").compactMap(parse)
            return .nothing
        }
        return found.isEmpty ? .nothing(source) : .found(found)
    }
}
