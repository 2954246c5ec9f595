// SPDX-License-Identifier: Apache-2.0
// What the kernel holds for a TCP socket: it counts for the pod's memory as ours does, and grows by itself unless it is
// told not to.

import Glibc

/// The two buffers of a socket.
enum SocketBuffers {
    /// Bounds what the kernel holds in each direction, its own part among it; 0 leaves it to the kernel. Sockets that a
    /// listener accepts inherit it.
    static func bound(_ descriptor: Int32, _ bytes: Int, _ subject: String) throws(SystemCallError) {
        guard bytes > 0 else { return }
        // The kernel doubles what it is given, because half of it goes into its own structures (socket(7)).
        var half = Int32(clamping: bytes / 2)
        for option in [SO_RCVBUF, SO_SNDBUF] {
            guard setsockopt(descriptor, SOL_SOCKET, option, &half, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
                throw SystemCallError("setsockopt", errno: errno, subject: subject)
            }
        }
    }
}
