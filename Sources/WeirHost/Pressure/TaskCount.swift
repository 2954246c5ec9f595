// SPDX-License-Identifier: Apache-2.0
// How many tasks (processes and threads) a group has, and may have: the pids controller, v1 and v2 alike.

/// The tasks of one control group. Where no more fit, no thread can be started.
package struct TaskCount: Sendable, Equatable {
    package let current: Int

    /// Nil where there is no bound.
    package let max: Int?

    package init(current: Int, max: Int?) {
        self.current = current
        self.max = max
    }

    /// Of the group that is nearest to its bound, or of the process's own where none has one. Nil if none can be read.
    ///
    /// - Parameter groups: the process's own first.
    static func nearest(of groups: [ControlGroupFolders.Folder], root: String) -> TaskCount? {
        let counts = groups.compactMap { TaskCount(folder: $0, root: root) }
        return counts.filter { $0.max != nil }.max { $0.share < $1.share } ?? counts.first
    }

    private var share: Double { max.map { Double(current) / Double($0) } ?? 0 }

    init?(folder: ControlGroupFolders.Folder, root: String) {
        guard let current = Self.number(HostFile(folder.path + "/pids.current", root: root)) else { return nil }
        // `max` is no number: it is no bound either.
        let most = Self.number(HostFile(folder.path + "/pids.max", root: root))
        self.init(current: current, max: most.flatMap { $0 > 0 ? $0 : nil })
    }

    private static func number(_ file: HostFile) -> Int? {
        guard case .text(let text) = file.read() else { return nil }
        let fields = text.words
        return fields.count == 1 ? Int(fields[0]).flatMap { $0 >= 0 ? $0 : nil } : nil
    }
}
