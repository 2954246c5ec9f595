// SPDX-License-Identifier: Apache-2.0
// What one loop may hold for its connections: the bound of its memory, and why nothing waits for it for ever. Pure.

/// A loop's share of the memory for buffers: what is on loan from its pool, and what is held of requests' bodies.
///
/// Part of the share is lent to whoever comes first: connections have their full windows. What is behind that is kept
/// for what each connection needs to go on, ``bytesPerConnection``: one small receive, its piece of a body, and one
/// small buffer of output. Once the part is lent (``EventLoop/isShortOfBuffers``), receives bring that much at a time,
/// and a window is full when anything is in it.
///
/// **No deadlock is possible.** A connection is never held back by what others hold: how short the loop is decides the
/// size of a window, which is never less than one piece. What holds a connection back is its own: a piece that its
/// handler has not read, or output that its client or its endpoint has not taken, each under its own timeout. So
/// whoever holds something can finish, and what it gives back makes the windows large again. Nothing queues for memory,
/// so nobody has to be woken when some comes back.
///
/// **The share is a bound.** There are at most as many connections as it was made for, each beyond the lent part holds
/// at most ``bytesPerConnection``, and that together fits. What cannot go on in so little is refused with 503 where the
/// whole share is in use (``EventLoop/isOutOfBuffers``), and has not been begun: a head that is longer than
/// ``headBytesMin`` and not there yet, trailers alike, and a body that is to be collected. Two things are not bounded by
/// it: a single write of a handler's, and the head of an endpoint's response, of which each connection has one.
@usableFromInline
package struct BufferShare: Sendable, Equatable {
    /// The most that the loop holds.
    package let bytesMax: Int
    /// How much of it is lent to whoever comes first.
    package let bytesLent: Int

    /// For loops without a bound.
    package static let unbounded = BufferShare(bytesMax: .max, connectionsMax: 0)

    /// Kept bytes, a piece of a body and output, each in a buffer of the smallest size.
    package static let bytesPerConnection = 3 * BufferPool.smallestByteCount

    /// So much of a head is read whatever else is held. Inlined elsewhere: each response asks for it.
    @inlinable package static var headBytesMin: Int { 3 << 10 }

    /// - Parameters:
    ///   - bytesMax: the bound; above 0.
    ///   - connectionsMax: the most connections that the loop has, those to endpoints among them.
    package init(bytesMax: Int, connectionsMax: Int) {
        self.bytesMax = bytesMax
        let (kept, isTooMuch) = connectionsMax.multipliedReportingOverflow(by: Self.bytesPerConnection)
        // Where more connections than fit were asked for, the windows are small soon; they are never so from the start.
        bytesLent = max(bytesMax / 4, isTooMuch ? 0 : bytesMax - kept)
    }
}
