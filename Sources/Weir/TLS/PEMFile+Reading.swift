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
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16 << 10)
        while bytes.count <= Self.bytesMax {
            let count = read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.fault(path) }
            if count == 0 { break }
            bytes += piece[..<count]
        }
        self.init(name: path, bytes: bytes)
    }

    private static func fault(_ path: String) -> TLSError {
        .unreadable(file: path, reason: String(cString: strerror(errno)))
    }
}
