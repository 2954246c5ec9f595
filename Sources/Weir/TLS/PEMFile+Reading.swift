// SPDX-License-Identifier: Apache-2.0
// Reads certificate and key files. Blocks; not on a loop.

import Glibc
import WeirTLS

extension PEMFile {
    /// Reads the file at `path`, one byte more than it may have at most.
    init(reading path: String) throws(TLSError) {
        // Without O_NONBLOCK opening a pipe would wait until somebody writes to it.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.fault(path) }
        defer { close(descriptor) }
        // Straight to where it stays: no copy of a key is left behind.
        try self.init(name: path, capacity: Self.bytesMax + 1) { target throws(TLSError) in
            var total = 0
            while total < target.count, let start = target.baseAddress {
                let count = Glibc.read(descriptor, start + total, target.count - total)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw Self.fault(path) }
                if count == 0 { break }
                total += count
            }
            return total
        }
    }

    private static func fault(_ path: String) -> TLSError {
        .unreadable(file: path, reason: String(cString: strerror(errno)))
    }
}
