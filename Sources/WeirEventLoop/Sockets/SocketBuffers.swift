// SPDX-License-Identifier: Apache-2.0
// What the kernel holds for TCP connections: it counts for the pod's memory as ours does, and grows by itself unless it is
// told not to.

import CWeirSystem
import Glibc

/// How large the kernel's two buffers of each TCP connection are: what it holds in each direction, its own part among it.
///
/// Connections share an amount: few have large buffers, and each doubling of their number makes them smaller for all. They
/// are what they are at the least when all are open that may be. Listeners have that from the beginning, because a client
/// may send before anybody has accepted it, and accepted sockets inherit it.
package struct SocketBuffers: Sendable, Equatable {
    /// Of each connection where all are open; 0 leaves buffers to the kernel.
    package let bytesLeast: Int
    /// What all connections share in both directions; 0 for the least for each, however few they are.
    package let bytesShared: Int

    /// More than this does not help: accepted connections have windows of 64 KiB at the most, because how far a window may
    /// be scaled is said in the handshake, with the listener's buffer in view (RFC 7323 section 2.2).
    package static let bytesMost = 128 << 10

    package init(bytesLeast: Int = 0, bytesShared: Int = 0) {
        self.bytesLeast = bytesLeast
        self.bytesShared = bytesLeast > 0 ? bytesShared : 0
    }

    package static let ofTheKernel = SocketBuffers()

    /// What each has when so many are open, above 0.
    package func bytes(connections: Int) -> Int {
        guard bytesShared > 0 else { return bytesLeast }
        let share = bytesShared / 2 / connections.roundedUpToPowerOfTwo
        // In whole pages.
        return max(bytesLeast, min(Self.bytesMost, share / 4096 * 4096))
    }

    /// What each is to have when it has `current` and so many are open: it grows only where it would not shrink again with
    /// twice as many.
    func bytes(connections: Int, current: Int) -> Int {
        let smaller = bytes(connections: connections)
        return smaller < current ? smaller : max(current, bytes(connections: 2 * connections))
    }

    /// Before the handshake, which tells the peer how much may be on its way; 0 leaves the buffers to the kernel.
    static func set(_ descriptor: Int32, _ bytes: Int, _ subject: String) throws(SystemCallError) {
        guard bytes > 0, !set(descriptor, bytes) else { return }
        throw SystemCallError("setsockopt", errno: errno, subject: subject)
    }

    /// Of a connection that stands. What is in its buffers stays there; without effect on what is no TCP socket.
    static func change(_ descriptor: Int32, _ bytes: Int) {
        // What may be on its way is bounded by the first buffer's size as well, for good unless it is said anew.
        var window = Int32(clamping: bytes)
        let size = socklen_t(MemoryLayout<Int32>.size)
        guard setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_WINDOW_CLAMP, &window, size) == 0 else { return }
        _ = set(descriptor, bytes)
    }

    private static func set(_ descriptor: Int32, _ bytes: Int) -> Bool {
        // The kernel doubles what it is given, because half of it goes into its own structures (socket(7)).
        var half = Int32(clamping: bytes / 2)
        return [SO_RCVBUF, SO_SNDBUF].allSatisfy {
            setsockopt(descriptor, SOL_SOCKET, $0, &half, socklen_t(MemoryLayout<Int32>.size)) == 0
        }
    }
}

extension EventLoop {
    /// What a connection gets that is being made.
    var socketBytesOfNext: Int {
        fitSocketBuffers()
        return core.pointee.socketBytes > 0 ? core.pointee.socketBytes : acceptPolicy?.socketBuffers.bytesLeast ?? 0
    }

    /// Makes the buffers of the loop's connections as large as they are to be with so many on all loops.
    ///
    /// - Complexity: O(channels of the loop) each time their number has doubled or quartered, else O(loops).
    func fitSocketBuffers() {
        guard let policy = acceptPolicy, policy.socketBuffers.bytesShared > 0 else { return }
        let count = max(1, policy.connectionCount)
        let bytes = policy.socketBuffers.bytes(connections: count, current: core.pointee.socketBytes)
        if bytes == core.pointee.socketBytes { return }
        core.pointee.socketBytes = bytes
        core.pointee.channels.visitUsed { state in
            if state.pointee.descriptor >= 0 { SocketBuffers.change(state.pointee.descriptor, bytes) }
        }
    }
}

extension Int {
    /// The smallest power of two that is not below it; it is above 0.
    package var roundedUpToPowerOfTwo: Int { self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount) }
}
