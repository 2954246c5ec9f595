// SPDX-License-Identifier: Apache-2.0
// The memory usage and limits of one control group, v1 and v2.

/// What the files of a group's directory say of its memory.
struct MemoryGroup {
    /// What it is charged, less its inactive file pages; nil if it cannot be read.
    let usedBytes: Int?

    /// What its limits' files said.
    let sources: [MemoryUsage.Source]

    /// The lowest of its limits, if it has any.
    var limitBytes: Int? {
        let limits = sources.compactMap { source in
            if case .bytes(let bytes) = source.reading { bytes } else { nil }
        }
        return limits.min()
    }

    init(folder: ControlGroupFolders.Folder, root: String) {
        // Above `memory.high` a group is not killed but put to sleep while the kernel reclaims: it is a limit as well.
        let limits = folder.isUnified ? ["memory.max", "memory.high"] : ["memory.limit_in_bytes"]
        // v1 counts what groups below use in the `total_` lines only; v2 in all.
        let reclaimable = folder.isUnified ? "inactive_file" : "total_inactive_file"
        func file(_ name: String) -> HostFile { HostFile(folder.path + "/" + name, root: root) }
        sources = limits.map { Self.limit(file($0)) }
        let charged = Self.bytes(file(folder.isUnified ? "memory.current" : "memory.usage_in_bytes"))
        let inactive = Self.statistic(reclaimable, in: file("memory.stat")) ?? 0
        usedBytes = charged.map { max(0, $0 - inactive) }
    }

    /// v1 has no word for no limit: it says the greatest number of whole pages, or nearly.
    private static let unlimitedLeast = 1 << 62

    private static func limit(_ file: HostFile) -> MemoryUsage.Source {
        let reading: MemoryUsage.Reading =
            switch file.read() {
            case .text(let text): limit(text) ?? .malformed(String(text.prefix(80)))
            case .missing: .missing
            case .unreadable(let code): .unreadable(errno: code)
            }
        return MemoryUsage.Source(name: file.path, reading: reading)
    }

    private static func limit(_ text: String) -> MemoryUsage.Reading? {
        let fields = text.split(whereSeparator: \.isWhitespace)
        if fields == ["max"] { return .unlimited }
        guard fields.count == 1, let bytes = Int(fields[0]), bytes > 0 else { return nil }
        return bytes >= unlimitedLeast ? .unlimited : .bytes(bytes)
    }

    private static func bytes(_ file: HostFile) -> Int? {
        guard case .text(let text) = file.read() else { return nil }
        let fields = text.split(whereSeparator: \.isWhitespace)
        return fields.count == 1 ? Int(fields[0]).flatMap { $0 >= 0 ? $0 : nil } : nil
    }

    /// One line of memory.stat: `inactive_file 4096`.
    private static func statistic(_ name: String, in file: HostFile) -> Int? {
        guard case .text(let text) = file.read() else { return nil }
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count == 2, fields[0] == name { return Int(fields[1]).flatMap { $0 >= 0 ? $0 : nil } }
        }
        return nil
    }
}
