// SPDX-License-Identifier: Apache-2.0
// The memory usage and limits of one control group, v1 and v2.

/// What the files of a group's directory say of its memory.
struct MemoryGroup {
    /// What it is charged, less its inactive file pages; nil if it cannot be read.
    let usedBytes: Int?

    /// Whether one of its files could not be read for want of a descriptor, or the like: the rest is not the whole.
    let isUnread: Bool

    /// What its limits' files said.
    let sources: [BudgetSource]

    /// The lowest of its limits, if it has any.
    var limitBytes: Int? {
        sources.filter { $0.role == .limit }.compactMap(\.amount).min().map { Int($0) }
    }

    init(_ folder: ControlGroupFolders.Folder, root: String) {
        func file(_ name: String) -> HostFile { HostFile(folder.path + "/" + name, root: root) }
        let statistics = MemoryStatistics(file("memory.stat"))
        sources =
            folder.isUnified
            // Above `memory.high` a group is not killed but put to sleep while the kernel reclaims: it is a limit as well.
            ? [Self.limit(file("memory.max")), Self.limit(file("memory.high"))]
            : [
                Self.limit(file("memory.limit_in_bytes")),
                // What groups above limit, those that are not shown to a container among them.
                statistics.limit("hierarchical_memory_limit"),
                // The kernel takes no notice of it while there is memory left on the node.
                Self.limit(file("memory.soft_limit_in_bytes"), .information),
            ]
        let usage = file(folder.isUnified ? "memory.current" : "memory.usage_in_bytes").read()
        isUnread = usage.isUnread || statistics.content.isUnread || sources.contains(where: \.isUnread)
        let charged = Self.bytes(usage)
        // v1 counts what groups below use in the `total_` lines only; v2 in all.
        let inactive = statistics[folder.isUnified ? "inactive_file" : "total_inactive_file"] ?? 0
        usedBytes = charged.map { max(0, $0 - inactive) }
    }

    private static func limit(_ file: HostFile, _ role: BudgetSource.Role = .limit) -> BudgetSource {
        BudgetSource(file, role) { text in
            let fields = text.words
            if fields == ["max"] { return .unlimited }
            return fields.count == 1 ? reading(fields[0]) : nil
        }
    }

    private static func bytes(_ content: HostFile.Content) -> Int? {
        guard case .text(let text) = content else { return nil }
        let fields = text.words
        return fields.count == 1 ? Int(fields[0]).flatMap { $0 >= 0 ? $0 : nil } : nil
    }

    /// v1 has no word for no limit: it says the greatest number of whole pages, or nearly.
    private static let unlimitedLeast = 1 << 62

    fileprivate static func reading(_ digits: Substring) -> BudgetSource.Reading? {
        guard let bytes = Int(digits), bytes > 0 else { return nil }
        return bytes >= unlimitedLeast ? .unlimited : .amount(Double(bytes))
    }
}

/// The lines of memory.stat: `inactive_file 4096`.
private struct MemoryStatistics {
    private let file: HostFile
    let content: HostFile.Content

    init(_ file: HostFile) {
        self.file = file
        content = file.read()
    }

    subscript(name: String) -> Int? {
        value(name).flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil }
    }

    func limit(_ name: String) -> BudgetSource {
        let path = "\(file.path) \(name)"
        switch content {
        case .missing: return BudgetSource(path, .limit, .missing)
        case .unreadable(let code): return BudgetSource(path, .limit, .unreadable(errno: code))
        case .text:
            guard let value = value(name) else { return BudgetSource(path, .limit, .nothing) }
            return BudgetSource(path, .limit, text: String(value), MemoryGroup.reading(value) ?? .malformed)
        }
    }

    private func value(_ name: String) -> Substring? {
        guard case .text(let text) = content else { return nil }
        for line in text.lines where line.begins(with: name) {
            let fields = line.words
            if fields.count == 2, fields[0] == name { return fields[1] }
        }
        return nil
    }
}
