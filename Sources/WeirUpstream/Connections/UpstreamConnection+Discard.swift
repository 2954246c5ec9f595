// SPDX-License-Identifier: Apache-2.0
// A response that nobody wants is read to its end where that is cheaper than another connection. On the loop's thread.

package import WeirEventLoop
import WeirHTTP

extension UpstreamConnection {
    /// How much of a response's body is read for the sake of its connection.
    package static let discardBytesMax = 64 << 10
    /// For how long.
    package static let discardTimeMax: Nanoseconds = 1_000_000_000

    /// Throws the response away whose head has just come; to be called within `head`. Its taker is told no more of it, and
    /// may lease another connection at once. This one is kept for the next request if what is left of the response
    /// comes within ``discardBytesMax`` and ``discardTimeMax``, else closed.
    package func discard() {
        guard state.pointee.hasSentRequest, parser.pointee.head.keepsAlive else { return cancel() }
        switch parser.pointee.head.framing {
        case .length(let length) where length > UInt64(Self.discardBytesMax): return cancel()
        case .untilClose, .tunnel: return cancel()
        case .none, .length, .chunked: break
        }
        state.pointee.events = Self.discarding
        state.pointee.discardBytesLeft = Self.discardBytesMax
        state.pointee.discardUntil = loop.now &+ Self.discardTimeMax
    }

    /// Counts bytes that were thrown away, and closes the connection where they become too many.
    private func discarded(_ count: Int) {
        state.pointee.discardBytesLeft -= count
        if state.pointee.discardBytesLeft < 0 { cancel() }
    }

    /// Tells nobody: the taker may be gone. For all connections and for good; written once.
    private nonisolated(unsafe) static let discarding: UnsafePointer<UpstreamEvents> = {
        let events = UnsafeMutablePointer<UpstreamEvents>.allocate(capacity: 1)
        events.initialize(
            to: UpstreamEvents(
                connected: { _, _ in },
                head: { _, _, _ in },
                body: { _, connection, bytes in connection.discarded(bytes.count) },
                ended: { _, _, _, _ in },
                halfClosed: { _, _ in },
                settled: { _, _ in },
                drained: { _, _ in },
                failed: { _, _, _ in },
                available: { _ in }
            )
        )
        return UnsafePointer(events)
    }()
}
