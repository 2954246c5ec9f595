// SPDX-License-Identifier: Apache-2.0
// How much of the pod's memory goes to what connections have on their way: in buffers of the loops, and in the kernel's.
// Pure.

package import WeirEventLoop

/// What may be held for the connections of a server.
package struct BufferSizes: Sendable, Equatable {
    /// The most that all loops together hold.
    package let bytesMax: Int
    /// What the kernel holds for each connection.
    package let sockets: SocketBuffers
    /// The most connections, those to endpoints among them.
    package let connectionsMax: Int

    package init(bytesMax: Int, sockets: SocketBuffers, connectionsMax: Int) {
        self.bytesMax = bytesMax
        self.sockets = sockets
        self.connectionsMax = connectionsMax
    }

    package static let unbounded = BufferSizes(bytesMax: .max, sockets: .ofTheKernel, connectionsMax: 0)

    /// `bytesMax`, nil for no limit.
    var bytesBound: Int? { bytesMax == .max ? nil : bytesMax }

    /// What the kernel holds for a connection where all are open, nil where it finds that itself.
    var socketBound: Int? { sockets.bytesLeast == 0 ? nil : sockets.bytesLeast }

    /// What the loops of a server share.
    package func budget() -> BufferBudget { BufferBudget(bytesMax: bytesMax, connectionsMax: connectionsMax) }

    /// How much each of so many loops keeps for reuse: a sixteenth together.
    func retainedBytesMax(ofLoops count: Int) -> Int { bytesMax / 16 / count }
}
