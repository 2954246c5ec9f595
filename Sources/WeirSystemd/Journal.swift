// SPDX-License-Identifier: Apache-2.0
// The journal as a log: sd_journal_sendv(3), with the metadata as fields.

import CSystemd
import Glibc
package import Weir

/// The system's journal.
package enum Journal {
    /// Whether standard error leads to the journal: `JOURNAL_STREAM` names the device and inode of the pipe that systemd
    /// made, which a redirection by a shell between would replace.
    package static func takesStandardError(environment: (String) -> String? = ProcessEnvironment.value) -> Bool {
        takes(STDERR_FILENO, environment: environment)
    }

    package static func takes(_ descriptor: Int32, environment: (String) -> String?) -> Bool {
        guard let parts = environment("JOURNAL_STREAM")?.split(separator: ":"), parts.count == 2,
            let device = UInt64(parts[0]), let inode = UInt64(parts[1])
        else { return false }
        var status = stat()
        return fstat(descriptor, &status) == 0 && status.st_dev == device && status.st_ino == inode
    }

    /// Writes one entry; false if the journal did not take it. May block while the journal is slow.
    package static func write(_ line: LogLine) -> Bool {
        var fields = JournalEntry(line).fields
        var vectors: [iovec] = []
        vectors.reserveCapacity(fields.count)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(fields.reduce(0) { $0 + $1.count })
        for field in fields { bytes += field }
        return bytes.withUnsafeMutableBytes { buffer in
            var offset = 0
            while !fields.isEmpty {
                let count = fields.removeFirst().count
                // In bounds: the counts add up to the buffer's.
                vectors.append(iovec(iov_base: buffer.baseAddress.map { $0 + offset }, iov_len: count))
                offset += count
            }
            return sd_journal_sendv(vectors, Int32(vectors.count)) == 0
        }
    }
}
