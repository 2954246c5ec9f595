// SPDX-License-Identifier: Apache-2.0
// What the loops of a server hold together for their connections: the bound of their memory, and why nothing waits for
// it for ever. Shared by the loops; each tells it what it holds.

import Synchronization

/// A server's memory for connections: buffers that are on loan from its loops' pools, and what is held of requests'
/// bodies.
///
/// Part of it is lent to whoever comes first: connections have their full windows. What is behind that is kept for what
/// each connection needs to go on, ``bytesPerConnection``: one small receive, its piece of a body, and one small buffer
/// of output. Once the part is lent (``EventLoop/isShortOfBuffers``), receives bring that much at a time, and a window
/// is full when anything is in it.
///
/// **No deadlock is possible.** A connection is never held back by what others hold: how short memory is decides the
/// size of a window, which is never less than one piece. What holds a connection back is its own: a piece that its
/// handler has not read, or output that its client or its endpoint has not taken, each under its own timeout. So
/// whoever holds something can finish, and what it gives back makes the windows large again. Nothing queues for memory,
/// so nobody has to be woken when some comes back.
///
/// **The budget is a bound.** There are at most as many connections as it was made for, each beyond the lent part holds
/// at most ``bytesPerConnection``, and that together fits. What cannot go on in so little grows as long as so much is left
/// for each connection that there is (``EventLoop/mayHold(_:)``), and is refused with 503 then, with nothing begun: a head
/// that is longer than ``smallPieceBytes`` and not there yet, trailers alike, and a body that is to be collected. Three
/// things are not bounded by it: a single write of a handler's; the head of an endpoint's response, of which each
/// connection has one; and a record of TLS, which is decrypted whole (16 KiB, RFC 8446 section 5.1).
///
/// **It belongs to no loop.** A loop tells it what it holds, and sees what the others do, at the end of each turn and
/// whenever it has taken ``bytesUntoldMax`` more since. So it is exact to so much for each loop, and how many loops there
/// are changes nothing: not for a new one, not for a request in progress on another, not for one that leaves.
@usableFromInline
package final class BufferBudget: Sendable {
    /// The most that the loops hold together.
    package let bytesMax: Int
    /// How much of it is lent to whoever comes first.
    package let bytesLent: Int
    /// What a loop may have taken without having said so.
    package let bytesUntoldMax: Int
    /// What the loops have told. Relaxed: an amount, which publishes nothing.
    private let told = Atomic<Int>(0)

    /// Kept bytes, a piece of a body and output, each in a buffer of the smallest size.
    package static let bytesPerConnection = 3 * BufferPool.smallestByteCount

    /// So much is received at once, read of a head, collected of a body, and read of a file, whatever else is held. Inlined
    /// elsewhere: each response asks for it.
    @inlinable package static var smallPieceBytes: Int { 3 << 10 }

    /// A buffer for what does not fit into the smallest, and has to be kept together.
    package static let longPieceBytes = 4 * BufferPool.smallestByteCount

    /// - Parameters:
    ///   - bytesMax: the bound, above 0; `.max` for none.
    ///   - connectionsMax: the most connections that the loops have, those to endpoints among them.
    package init(bytesMax: Int, connectionsMax: Int) {
        self.bytesMax = bytesMax
        let (kept, isTooMuch) = connectionsMax.multipliedReportingOverflow(by: Self.bytesPerConnection)
        // Where more connections than fit were asked for, the windows are small soon; they are never so from the start.
        bytesLent = max(bytesMax / 4, isTooMuch ? 0 : bytesMax - kept)
        bytesUntoldMax = min(64 << 10, bytesMax / 64)
    }

    /// The longest body that can be held whole; the rest is for what its own connection and a few others need.
    package var collectedBytesMax: Int { bytesMax - bytesMax / 8 }

    /// What the loops hold, as they have told.
    package var heldBytes: Int { told.load(ordering: .relaxed) }

    /// A loop holds so much more; answers what all hold now.
    func note(_ change: Int) -> Int { told.wrappingAdd(change, ordering: .relaxed).newValue }
}
