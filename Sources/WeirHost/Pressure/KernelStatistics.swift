// SPDX-License-Identifier: Apache-2.0
// Files of the kernel with a name and a number in each line: `nr_periods 12`. Pure, but for reading the file.

/// The lines of such a file that are of its form; others are left out.
struct KernelStatistics {
    private let values: [Substring: UInt64]

    init(_ file: HostFile) {
        guard case .text(let text) = file.read() else {
            values = [:]
            return
        }
        let lines = text.lines.compactMap { line -> (Substring, UInt64)? in
            let fields = line.words
            // What does not fit is left out, too: a number of the kernel's does.
            return fields.count == 2 ? UInt64(fields[1]).map { (fields[0], $0) } : nil
        }
        values = Dictionary(lines) { first, _ in first }
    }

    subscript(name: String) -> UInt64? { values[name[...]] }
}
