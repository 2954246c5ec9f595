// SPDX-License-Identifier: Apache-2.0
// One copy of a request on its way to the mirror: who is told of its connection, and what the pieces of its body are
// written to. Owned by its lease and, while there is more of the body, by the original. On the loop's thread.

import WeirEventLoop
import WeirHTTP
import WeirUpstream

/// A copy, from the lease of its connection until its answer's head.
///
/// `@unchecked Sendable`: confined to its loop's thread.
final class MirrorCopy: @unchecked Sendable {
    /// How much of a body may wait for the mirror to take it, as a multiple of what may wait for an endpoint: an
    /// original that is held back lets the mirror catch up, and its copy only has to bridge the time until then.
    static let backlogFactor = 4

    private let mirror: RouteMirror
    private let loop: EventLoop
    /// The leased connection; nil when the copy is over.
    private var leased: Unmanaged<UpstreamConnection>?

    init(_ mirror: RouteMirror, on loop: EventLoop) {
        self.mirror = mirror
        self.loop = loop
    }

    var connection: UpstreamConnection? { leased?.takeUnretainedValue() }

    // MARK: Its beginning and its end

    /// Who leases a connection for it. It keeps the copy until ``begin(on:)`` has been followed by its end, or until
    /// ``isRefused(_:)``.
    func taker() -> UpstreamEvents.Taker { Unmanaged.passRetained(self).toOpaque() }

    func begin(on connection: Unmanaged<UpstreamConnection>) {
        leased = connection
    }

    /// There is no connection for it.
    func isRefused(_ result: MirrorResult) {
        end(result)
    }

    /// The request is whole: its answer's head may take so long.
    func endRequest(headTimeout: Nanoseconds) {
        guard let connection else { return }
        connection.endRequest(headTimeout: headTimeout)
        loop.flush(connection.channel)
    }

    /// Gives up a copy whose rest will not come.
    func cut() {
        guard let connection else { return }
        connection.cancel()
        end(.cut)
    }

    private func end(_ result: MirrorResult) {
        leased = nil
        mirror.end(result)
        // Taken in `taker()`.
        Unmanaged.passUnretained(self).release()
    }

    // MARK: Its body

    /// Passes a piece of the body on; a copy that falls behind is given up.
    func writeBody(_ bytes: UnsafeRawBufferPointer, isChunked: Bool, window: Int) {
        guard let connection else { return }
        let channel = connection.channel
        if isChunked { loop.writeChunk(channel, bytes) } else { loop.sendThrough(channel, bytes) }
        guard leased != nil, loop.isOutputFull(channel, Self.backlogFactor * window) else { return }
        loop.flush(channel)
        if leased != nil, loop.isOutputFull(channel, Self.backlogFactor * window) { cut() }
    }

    /// Sends what has been written.
    func flush() {
        guard let connection else { return }
        loop.flush(connection.channel)
    }

    // MARK: What the endpoint does

    /// A copy is over with the head of its response; the rest is read for the sake of the connection only.
    static let events = UpstreamEvents(
        connected: { _, _ in },
        head: { taker, connection, _ in
            guard !connection.parser.pointee.head.isInterim else { return }
            connection.discard()
            copy(taker).end(.answered)
        },
        body: { _, _, _ in },
        ended: { _, _, _, _ in },
        halfClosed: { _, _ in },
        // Told once more behind the end, when the copy may be gone.
        settled: { _, _ in },
        drained: { _, _ in },
        failed: { taker, _, fault in copy(taker).end(fault == .attemptTimeout ? .timeout : .failed) },
        available: { _ in }
    )

    private static func copy(_ taker: UpstreamEvents.Taker) -> MirrorCopy {
        Unmanaged<MirrorCopy>.fromOpaque(taker).takeUnretainedValue()
    }
}
