// SPDX-License-Identifier: Apache-2.0
// How much of the pod's memory goes to what connections have on their way: in buffers of the loops, and in the kernel's.
// Pure.

package import WeirEventLoop

/// What may be held for the connections of a server.
package struct BufferSizes: Sendable, Equatable {
    /// The most that all loops together hold.
    package let bytesMax: Int
    /// The most that the kernel holds for one connection in each direction; 0 leaves it to the kernel.
    package let socketBytes: Int
    /// The most connections, those to endpoints among them.
    package let connectionsMax: Int

    package init(bytesMax: Int, socketBytes: Int, connectionsMax: Int) {
        self.bytesMax = bytesMax
        self.socketBytes = socketBytes
        self.connectionsMax = connectionsMax
    }

    package static let unbounded = BufferSizes(bytesMax: .max, socketBytes: 0, connectionsMax: 0)

    /// `bytesMax`, nil for no limit.
    var bytesBound: Int? { bytesMax == .max ? nil : bytesMax }

    /// `socketBytes`, nil where they are the kernel's.
    var socketBound: Int? { socketBytes == 0 ? nil : socketBytes }

    /// What the loops of a server share.
    package func budget() -> BufferBudget { BufferBudget(bytesMax: bytesMax, connectionsMax: connectionsMax) }

    /// How much each of so many loops keeps for reuse: a sixteenth together.
    func retainedBytesMax(ofLoops count: Int) -> Int { bytesMax / 16 / count }
}
