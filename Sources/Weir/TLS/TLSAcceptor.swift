// SPDX-License-Identifier: Apache-2.0
// Opens the connections of TLS listeners: the handshake is a protocol of its own, which gives the channel to HTTP when it
// is done. Owned by its loop's half of the server.

import Logging
import WeirEventLoop
import WeirMetrics
import WeirTLS

/// One loop's way from an accepted socket to an HTTP connection over TLS.
///
/// `@unchecked Sendable`: made on one thread, then touched by the loop's alone.
final class TLSAcceptor: @unchecked Sendable {
    // It belongs to the loop, which outlives it.
    unowned(unsafe) let loop: EventLoop
    let metrics: MetricsShard
    let logger: Logger
    private let server: TLSServer
    private let handshakeTimeout: Nanoseconds
    private let isAdmin: Bool
    private let next: SecureOpener
    private let handshake: UnsafeMutablePointer<ChannelEvents>
    private let transform: UnsafeMutablePointer<ChannelTransform>

    /// Opens a connection whose handshake is done, with the certificate that its client has shown.
    typealias SecureOpener = @Sendable (Channel, SocketAddress, ClientCertificate?) -> UnsafePointer<ChannelEvents>

    init(
        _ server: TLSServer,
        _ loop: EventLoop,
        _ configuration: ServerConfiguration,
        _ logger: Logger,
        isAdmin: Bool,
        then next: @escaping SecureOpener
    ) {
        self.server = server
        self.loop = loop
        self.logger = logger
        self.isAdmin = isAdmin
        self.next = next
        metrics = loop.metrics
        handshakeTimeout = configuration.handshakeTimeout
        handshake = .allocate(capacity: 1)
        handshake.initialize(to: Self.handshakeEvents)
        transform = .allocate(capacity: 1)
        transform.initialize(to: TLSConnection.transform)
    }

    deinit {
        handshake.deinitialize(count: 1)
        handshake.deallocate()
        transform.deinitialize(count: 1)
        transform.deallocate()
    }

    var opener: ChannelOpener {
        { [unowned(unsafe) self] loop, channel, address in
            if let connection = TLSConnection.make(channel, address, of: self, server.context(isAdmin: isAdmin)) {
                channel.context = UnsafeMutableRawPointer(connection)
                channel.setIdle(since: loop.now, isNew: true)
                channel.setDeadline(loop.now &+ handshakeTimeout, on: loop)
                loop.transform(channel, by: transform, connection)
            } else {
                // No memory for a session.
                loop.close(channel, reason: .failed)
            }
            return UnsafePointer(handshake)
        }
    }

    /// Both sides have agreed: HTTP follows.
    private func established(_ connection: UnsafeMutablePointer<TLSConnection>) {
        metrics.increment(connection.pointee.isResumed ? .handshakesResumed : .handshakes)
        let channel = connection.pointee.channel
        channel.context = nil
        channel.setDeadline(.max, on: loop)
        let certificate = connection.pointee.clientCertificate
        loop.hand(channel, connection.pointee.address) { [next] _, channel, address in
            next(channel, address, certificate)
        }
    }

    /// What the loop calls until then. It captures nothing.
    private static let handshakeEvents = ChannelEvents(
        connected: { _, channel in
            withConnection(of: channel) { $0.pointee.acceptor.established($0) }
        },
        // Nothing is delivered before the handshake is done.
        received: { _, _, bytes in bytes.count },
        ended: { loop, channel in loop.close(channel, reason: .failed) },
        blocked: { _, _ in },
        drained: { _, _ in },
        timedOut: { loop, channel in
            withConnection(of: channel) { $0.pointee.timedOut() }
            loop.close(channel)
        },
        closed: { _, channel, reason in
            withConnection(of: channel) { $0.pointee.closed(reason) }
        }
    )

    private static func withConnection(
        of channel: Channel,
        _ body: (UnsafeMutablePointer<TLSConnection>) -> Void
    ) {
        // The transform's memory, which lasts as long as the channel; nil where there was none for a session.
        guard let context = channel.context else { return }
        body(context.assumingMemoryBound(to: TLSConnection.self))
    }
}
