// SPDX-License-Identifier: Apache-2.0
// A file that no folder has: what is made here is given to the TLS listener, which reads files, and a private key comes
// on no disk. The process keeps it until it ends.

import CWeirSystem
import Glibc
import Synchronization
package import WeirEventLoop

/// A file in memory, replaced as a whole: whoever opens its path reads one text or the other.
package final class MemoryFile: Sendable {
    private let descriptor: Int32
    /// One writer at a time.
    private let present: Mutex<[UInt8]>

    /// - Throws: `SystemCallError` where the kernel gives no memory or descriptor.
    package init(_ bytes: [UInt8]) throws(SystemCallError) {
        descriptor = try Self.make(bytes)
        present = Mutex(bytes)
    }

    deinit { close(descriptor) }

    /// Where it is read.
    package var path: String { "/proc/self/fd/\(descriptor)" }

    /// Has it another text. The path leads to another file from then on, so its version changes.
    package func replace(by bytes: [UInt8]) throws(SystemCallError) {
        try present.withLock { (present: inout [UInt8]) throws(SystemCallError) in
            guard bytes != present else { return }
            let next = try Self.make(bytes)
            defer { close(next) }
            // Atomic: the number is never that of no file.
            guard dup2(next, descriptor) >= 0 else { throw SystemCallError("dup2", errno: errno) }
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            present = bytes
        }
    }

    private static func make(_ bytes: [UInt8]) throws(SystemCallError) -> Int32 {
        let descriptor = weir_memory_file("weir-adapter")
        guard descriptor >= 0 else { throw SystemCallError("memfd_create", errno: errno) }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, bytes.count - written) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let error = errno
                close(descriptor)
                throw SystemCallError("write", errno: error)
            }
            written += count
        }
        return descriptor
    }
}
