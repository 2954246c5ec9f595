// SPDX-License-Identifier: Apache-2.0
// How many more processes and threads fit: what a start asks before it makes any.

/// The group in which the fewest more fit, of the process's own and those above it.
package struct TaskRoom: Sendable, Equatable {
    /// Its `pids.max`.
    package let file: String
    package let current: Int
    package let max: Int

    package var free: Int { Swift.max(0, max - current) }

    package init(file: String, current: Int, max: Int) {
        self.file = file
        self.current = current
        self.max = max
    }

    /// Nil where no group has a bound, or none can be read.
    package static func read(root: String = "/") -> TaskRoom? {
        ControlGroupFolders(controller: "pids", root: root).groups.compactMap { folder in
            guard let count = TaskCount(folder: folder, root: root), let max = count.max else { return nil }
            return TaskRoom(file: folder.path + "/pids.max", current: count.current, max: max)
        }.min { $0.free < $1.free }
    }
}
