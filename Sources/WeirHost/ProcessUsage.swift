// SPDX-License-Identifier: Apache-2.0
// What this process uses: the numbers behind the process_* metrics. Read on the admin thread at each scrape.

import Glibc

/// What this process uses of the machine. What cannot be read is nil.
package struct ProcessUsage: Sendable, Equatable {
    /// User and system time of all threads, in seconds (`process_cpu_seconds_total`).
    package let cpuSeconds: Double?

    /// Memory that is in RAM, in bytes (`process_resident_memory_bytes`).
    package let residentBytes: Int?

    /// File descriptors in use (`process_open_fds`).
    package let openDescriptors: Int?

    /// The most descriptors that may be in use (`process_max_fds`).
    package let descriptorsMax: Int

    /// When the process started, in seconds since 1970 (`process_start_time_seconds`).
    package let startTimeSeconds: Double?

    /// Reads the usage.
    ///
    /// - Parameter root: the directory that stands for `/`.
    package static func read(root: String = "/") -> ProcessUsage {
        let fields = statFields(root: root)
        let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
        let pageBytes = sysconf(Int32(_SC_PAGESIZE))
        let startSeconds = number(fields, 22).map { Double($0) / ticksPerSecond }
        return ProcessUsage(
            cpuSeconds: number(fields, 14).flatMap { user in
                number(fields, 15).map { Double(user + $0) / ticksPerSecond }
            },
            residentBytes: number(fields, 24).map { $0 * pageBytes },
            openDescriptors: openDescriptors(root: root),
            descriptorsMax: DescriptorLimit.current.soft,
            startTimeSeconds: startSeconds.flatMap { start in
                bootTimeSeconds(root: root).map { $0 + start }
            }
        )
    }

    /// How many threads it has now.
    package static func threadCount(root: String = "/") -> Int? { number(statFields(root: root), 20) }

    /// Since Linux 6.2 the directory's size says it at once; to count a hundred thousand entries takes longer than a scrape
    /// may.
    private static func openDescriptors(root: String) -> Int? {
        let folder = "/proc/self/fd"
        var information = stat()
        // Of a folder of fixtures the size says nothing.
        if root == "/", stat(folder, &information) == 0, information.st_size > 0 { return Int(information.st_size) }
        // Less the one that reads the directory.
        return HostFile(folder, root: root).entryCount().map { max(0, $0 - 1) }
    }

    /// The fields of /proc/self/stat from the third on (proc_pid_stat(5)). The second is the program's name in
    /// parentheses and may hold spaces and parentheses itself.
    private static func statFields(root: String) -> [Substring] {
        guard case .text(let text) = HostFile("/proc/self/stat", root: root).read(),
            let nameEnd = text.lastIndex(of: ")")
        else { return [] }
        return text[text.index(after: nameEnd)...].words
    }

    /// A field by its number in the manual, which counts from 1.
    private static func number(_ fields: [Substring], _ field: Int) -> Int? {
        let index = field - 3
        // A negative or huge number would be the kernel's fault; it must not trap here.
        return fields.indices.contains(index)
            ? Int(fields[index]).flatMap { (0..<1 << 48).contains($0) ? $0 : nil } : nil
    }

    private static func bootTimeSeconds(root: String) -> Double? {
        guard case .text(let text) = HostFile("/proc/stat", root: root).read(),
            let line = text.lines.first(where: { $0.begins(with: "btime ") })
        else { return nil }
        return Double(line.dropFirst(6))
    }
}
