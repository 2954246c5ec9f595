// SPDX-License-Identifier: Apache-2.0
// Opens the connections of TLS listeners that are alike: the handshake is a protocol of its own, which gives the channel
// to HTTP when it is done. Owned by its loop's half of the server.

import Logging
import WeirEventLoop
import WeirMetrics
import WeirTLS

/// Whom a handshake has shown.
struct SecurePeer {
    /// The client's, and where it connected to if a trusted PROXY header has said so.
    let address: SocketAddress
    let target: SocketAddress?
    /// What the client has shown.
    let certificate: ClientCertificate?
    /// The handshake is not done: what comes may be a record of what another client has sent.
    let isEarly: Bool
}

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
    /// The certificates and modes of its listeners.
    private let profile: Int
    private let next: SecureOpener
    private let handshake: UnsafeMutablePointer<ChannelEvents>
    private let transform: UnsafeMutablePointer<ChannelTransform>

    /// Whose PROXY header comes in front of the handshake; empty for nobody's.
    private let headerSenders: TrustedNetworks

    /// Opens a connection whose handshake is done.
    typealias SecureOpener = @Sendable (Channel, SecurePeer) -> UnsafePointer<ChannelEvents>

    init(
        _ server: TLSServer,
        profile: Int,
        _ loop: EventLoop,
        _ configuration: ServerConfiguration,
        _ logger: Logger,
        then next: @escaping SecureOpener
    ) {
        self.server = server
        self.loop = loop
        self.logger = logger
        self.profile = profile
        self.next = next
        metrics = loop.metrics
        handshakeTimeout = configuration.handshakeTimeout
        headerSenders = configuration.takesProxyProtocol ? configuration.trustedProxies : TrustedNetworks()
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
            let deadline = loop.now &+ handshakeTimeout
            let context = server.context(of: profile)
            if let connection = TLSConnection.make(channel, address, of: self, context, until: deadline) {
                channel.context = UnsafeMutableRawPointer(connection)
                channel.setIdle(since: loop.now, isNew: true)
                channel.setDeadline(deadline, on: loop)
                loop.transform(channel, by: transform, connection)
            } else {
                // No memory for a session.
                loop.close(channel, reason: .failed)
            }
            return UnsafePointer(handshake)
        }
    }

    /// A drain: handshakes have as long for their end as a new connection has to ask. Nothing of what a silent client
    /// may want was begun.
    func hurry() {
        loop.forEachChannel(with: handshake) { channel in
            Self.withConnection(of: channel) { connection in
                channel.setDeadline(min(connection.pointee.deadline, loop.now &+ HTTP1Connection.idleGrace), on: loop)
            }
        }
    }

    /// Both sides have agreed: HTTP follows.
    private func established(_ connection: UnsafeMutablePointer<TLSConnection>) {
        // One with early requests is counted, and has its time, until the client has shown that it is there.
        if !connection.pointee.isEarly {
            metrics.increment(connection.pointee.isResumed ? .handshakesResumed : .handshakes)
        }
        let channel = connection.pointee.channel
        channel.context = nil
        channel.setDeadline(.max, on: loop)
        let peer = SecurePeer(
            address: connection.pointee.address,
            target: connection.pointee.target,
            certificate: connection.pointee.clientCertificate,
            isEarly: connection.pointee.isEarly
        )
        loop.hand(channel, peer.address) { [next] _, channel, _ in next(channel, peer) }
    }

    /// The handshake of a connection that had requests before is done.
    func confirmed(_ channel: Channel) {
        // Nothing early comes but by a former session.
        metrics.increment(.handshakesResumed)
        // By now its protocol is HTTP's.
        guard let context = channel.context else { return }
        Unmanaged<HTTP1Connection>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.endEarly() }
    }

    /// Whether a peer must say whom its connection is from.
    func awaitsHeader(of address: SocketAddress) -> Bool {
        !headerSenders.isEmpty && headerSenders.contains(address)
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
