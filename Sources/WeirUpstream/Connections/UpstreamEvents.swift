// SPDX-License-Identifier: Apache-2.0
// How an upstream connection tells whoever leased it what comes of the request: one table of functions, as channels have.

package import WeirHTTP

/// What is called on the loop's thread for a lease; the first argument is the taker that was given with it.
///
/// After `ended` or `failed` the connection is no longer the taker's.
package struct UpstreamEvents: Sendable {
    package typealias Taker = UnsafeMutableRawPointer

    /// The connection stands: a body may be sent.
    package var connected: @Sendable (Taker, UpstreamConnection) -> Void
    /// A head has come, an interim one or the final one: `connection.parser` has it, and the bytes are its.
    package var head: @Sendable (Taker, UpstreamConnection, UnsafeRawBufferPointer) -> Void
    /// A piece of the body, without its coding; of a tunnel, what has come.
    package var body: @Sendable (Taker, UpstreamConnection, UnsafeRawBufferPointer) -> Void
    /// The response is whole. Trailer fields, if there are any, are in the section of the bytes.
    package var ended: @Sendable (Taker, UpstreamConnection, UnsafeRawBufferPointer, ByteRange) -> Void
    /// The other side of a tunnel has ended its half.
    package var halfClosed: @Sendable (Taker, UpstreamConnection) -> Void
    /// All that has come was told: now is the time to send what it has led to.
    package var settled: @Sendable (Taker, UpstreamConnection) -> Void
    /// The output has gone to the kernel after it had been too much.
    package var drained: @Sendable (Taker, UpstreamConnection) -> Void
    /// There will be no response, or no more of it.
    package var failed: @Sendable (Taker, UpstreamConnection, UpstreamFault) -> Void
    /// A connection can be had that was waited for.
    package var available: @Sendable (Taker) -> Void

    package init(
        connected: @escaping @Sendable (Taker, UpstreamConnection) -> Void,
        head: @escaping @Sendable (Taker, UpstreamConnection, UnsafeRawBufferPointer) -> Void,
        body: @escaping @Sendable (Taker, UpstreamConnection, UnsafeRawBufferPointer) -> Void,
        ended: @escaping @Sendable (Taker, UpstreamConnection, UnsafeRawBufferPointer, ByteRange) -> Void,
        halfClosed: @escaping @Sendable (Taker, UpstreamConnection) -> Void,
        settled: @escaping @Sendable (Taker, UpstreamConnection) -> Void,
        drained: @escaping @Sendable (Taker, UpstreamConnection) -> Void,
        failed: @escaping @Sendable (Taker, UpstreamConnection, UpstreamFault) -> Void,
        available: @escaping @Sendable (Taker) -> Void
    ) {
        self.connected = connected
        self.head = head
        self.body = body
        self.ended = ended
        self.halfClosed = halfClosed
        self.settled = settled
        self.drained = drained
        self.failed = failed
        self.available = available
    }
}
