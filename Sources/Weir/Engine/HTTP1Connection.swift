// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 codec of one connection (RFC 9112): drives one exchange at a time, in the order of the requests.
// Owned by its loop, pooled between connections.

import Synchronization
import WeirEventLoop
import WeirHTTP
import WeirMetrics
import WeirRouting

/// A server's side of an HTTP/1.1 connection.
///
/// `@unchecked Sendable`: confined to its loop's thread.
final class HTTP1Connection: @unchecked Sendable {
    let owner: ServerLoop
    // Stored, not computed: reading a constant of its own costs an object no reference count.
    let loop: EventLoop
    let metrics: MetricsShard
    // Changed in `open` alone, as below.
    @exclusivity(unchecked) private(set) var channel: Channel
    /// The exchange at hand with the one reference of its lease, see `ServerLoop.lease`.
    var leased: Unmanaged<Exchange>?
    var phase = ConnectionPhase.idle
    /// No request follows the present one.
    var isLast = false
    /// A call of `received` is on the stack: output goes out when it returns, and it goes on with what follows.
    private(set) var isReceiving = false
    /// The peer is a proxy whose word about the client counts.
    private(set) var isPeerTrusted = false
    /// Answers tell browsers to come by https alone.
    private(set) var isTransportStrict = false
    var requestCount = 0
    /// When the connection is to be closed because of its age.
    private(set) var retiresAt: Nanoseconds = .max

    // Instants at which something has taken too long; `.max` when nothing is waited for.
    var readDeadline: Nanoseconds = .max
    var writeDeadline: Nanoseconds = .max
    /// Until when the client must have shown that it is there, while `peer.isEarly`.
    var handshakeDeadline: Nanoseconds = .max
    var idleDeadline: Nanoseconds = .max

    private(set) var peer = PeerAddress()
    /// What the client has shown in the handshake.
    private(set) var clientCertificate: ClientCertificate?
    /// How the body of the request at hand comes.
    var bodyPace = BodyPace()
    /// Bytes that the client had acknowledged when the present timeout began.
    var sentBytesAtWindow: UInt64 = 0
    /// When a piece of the request's body has been taken for the last time.
    var bodyTakenAt: Nanoseconds = 0
    /// When either side of a tunnel has sent something for the last time.
    var tunnelActiveAt: Nanoseconds = 0
    /// Where the client connected to, if a trusted PROXY header has said so.
    private var namedTarget: SocketAddress?
    /// What requests that go on say of the peer; made for the first one.
    // Changed in two places, neither of which calls anything that could change it too; the run-time check of that would
    // cost each request 60 instructions, because the compiler makes it at the start of `received`.
    @exclusivity(unchecked) private var ownClientFields = ClientFields()

    init(owner: ServerLoop) {
        self.owner = owner
        loop = owner.loop
        metrics = owner.metrics
        // Replaced by `open` before anything uses it.
        channel = Channel.none
    }

    deinit {
        ownClientFields.deallocate()
    }

    var configuration: ServerConfiguration { owner.configuration }

    /// The exchange at hand; reading it counts a reference.
    var exchange: Exchange? { leased?.takeUnretainedValue() }

    /// Whether `exchange` is the one at hand; counts no reference.
    func isAt(_ exchange: Exchange) -> Bool {
        leased?.toOpaque() == Unmanaged.passUnretained(exchange).toOpaque()
    }

    /// - Parameter secure: What the handshake has shown, on a connection of TLS.
    func open(_ channel: Channel, _ address: SocketAddress, _ secure: SecurePeer?) {
        self.channel = channel
        if secure != nil || clientCertificate != nil { clientCertificate = secure?.certificate }
        peer = PeerAddress(address, isSecure: channel.isTransformed, isEarly: secure?.isEarly ?? false)
        if peer.isEarly { handshakeDeadline = loop.now &+ configuration.handshakeTimeout }
        isTransportStrict = peer.isSecure && configuration.strictTransport != nil
        if secure != nil || namedTarget != nil { namedTarget = secure?.target }
        ownClientFields.forget()
        isPeerTrusted = !configuration.trustedProxies.isEmpty && configuration.trustedProxies.contains(address)
        phase = .idle
        requestCount = 0
        isLast = false
        readDeadline = .max
        writeDeadline = .max
        let age = configuration.connectionAge
        if age == .max {
            retiresAt = .max
        } else {
            retiresAt = loop.now &+ Nanoseconds(Double(age) * (1 + 0.1 * owner.jitter()))
        }
        // It was on its way here when the loop ceased to take connections.
        if owner.isLeaving { retiresAt = loop.now &+ Self.leavingGrace }
        channel.context = Unmanaged.passRetained(self).toOpaque()
        // Over TLS it came in front of the handshake.
        if configuration.takesProxyProtocol, isPeerTrusted, secure == nil {
            phase = .proxyHeader
            readDeadline = loop.now &+ configuration.headTimeout
            channel.setIdle(since: .max)
            channel.setDeadline(readDeadline, on: loop)
        } else {
            becomeIdle()
        }
    }

    /// What requests that go on say of the peer.
    func clientFields() -> ClientFields {
        if ownClientFields.isEmpty { ownClientFields.write(peer.socketAddress, isSecure: peer.isSecure) }
        return ownClientFields
    }

    /// The client's address; nil over a Unix socket.
    var peerAddress: SocketAddress? {
        let address = peer.socketAddress
        return address.port == nil ? nil : address
    }

    /// Whom a trusted PROXY header has named takes the peer's place.
    func speaks(for address: SocketAddress, at target: SocketAddress?) {
        namedTarget = target
        peer = PeerAddress(address, isSecure: peer.isSecure, isEarly: peer.isEarly)
        isPeerTrusted = configuration.trustedProxies.contains(address)
        ownClientFields.forget()
    }

    /// Where the client connected to.
    var target: SocketAddress? { namedTarget ?? channel.localAddress }

    /// The connection is as old as one may be.
    func endAge() { retiresAt = min(retiresAt, loop.now) }

    /// The handshake is done: nobody but the client that there is has sent what comes.
    func endEarly() {
        peer.isEarly = false
        guard phase == .idle else { return }
        // Has what is kept delivered again.
        channel.pause()
        channel.resume(on: loop)
    }

    /// The header is whole: requests follow.
    func endProxyHeader() {
        phase = .idle
        readDeadline = .max
    }

    // MARK: The loop's calls

    /// The table that a loop calls; it captures nothing and finds the connection in the channel's context.
    static let events = ChannelEvents(
        received: { _, channel, bytes in
            withConnection(of: channel) { $0.received(bytes) }
        },
        ended: { _, channel in
            withConnection(of: channel) { $0.ended() }
        },
        endedWhilePaused: { _, channel in
            withConnection(of: channel) { $0.endedWhilePaused() }
        },
        blocked: { _, channel in
            withConnection(of: channel) { $0.blocked() }
        },
        drained: { _, channel in
            withConnection(of: channel) { $0.drained() }
        },
        timedOut: { _, channel in
            withConnection(of: channel) { $0.timedOut() }
        },
        closed: { _, channel, reason in
            guard let context = channel.context else { return }
            channel.context = nil
            Unmanaged<HTTP1Connection>.fromOpaque(context).takeRetainedValue().closed(reason)
        }
    )

    @inline(__always)
    private static func withConnection<R>(of channel: Channel, _ body: (HTTP1Connection) -> R) -> R {
        guard let context = channel.context else { preconditionFailure("a channel without its connection") }
        // Retained in `open`, released in `closed`, which is the last call.
        return Unmanaged<HTTP1Connection>.fromOpaque(context)._withUnsafeGuaranteedRef(body)
    }

    // MARK: Receiving

    /// Works off what has come; answers how much was taken.
    private func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        isReceiving = true
        var taken = 0
        working: while true {
            switch phase {
            case .idle:
                guard taken < bytes.count else { break working }
                if isOutputFull {
                    loop.flush(channel)
                    guard phase == .idle, channel.isOpen else { break working }
                    if isOutputFull {
                        // The client pipelines and does not read: `drained` goes on.
                        channel.pause()
                        break working
                    }
                }
                if peer.isEarly, !beginsSafely(UnsafeRawBufferPointer(rebasing: bytes[taken...])) {
                    // Kept until `endEarly`. Not paused: the end of the handshake must be read.
                    break working
                }
                phase = .head
                if let count = receiveRepeated(UnsafeRawBufferPointer(rebasing: bytes[taken...])) { taken += count }
            case .head:
                let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
                guard let count = receiveHead(rest) else { break working }
                taken += count
            case .exchange:
                guard let lease = leased else { break working }
                // The lease is one reference, and lasts until `retire`.
                let goesOn = lease._withUnsafeGuaranteedRef { receiveBody($0, bytes, &taken) }
                if leased == nil { owner.retire(lease) }
                guard goesOn, !channel.isPaused else { break working }
            case .tunnel:
                guard taken < bytes.count, let proxy = leased?._withUnsafeGuaranteedRef({ $0.proxy }) else {
                    break working
                }
                proxy.tunnel(UnsafeRawBufferPointer(rebasing: bytes[taken...]))
                taken = bytes.count
            case .proxyHeader:
                guard let count = receiveProxyHeader(UnsafeRawBufferPointer(rebasing: bytes[taken...])) else {
                    break working
                }
                taken += count
            case .closing:
                taken = bytes.count
                break working
            }
        }
        isReceiving = false
        if forwardsBody { exchange?.proxy?.flush() }
        settle()
        return taken
    }

    /// Takes what has come of the body of the request at hand, as far as somebody takes it now; false where what is left
    /// of the bytes has to wait.
    private func receiveBody(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer, _ taken: inout Int) -> Bool {
        if exchange.input.isDone {
            // The next request waits for this answer. With nothing there, the channel stays open for reading: that the
            // client goes away is learned at once.
            if taken < bytes.count { channel.pause() }
            return false
        }
        // Until the request may run and a connection stands, the body stays where it is.
        var isAwaited = exchange.slot.waits
        if case .forward = exchange.sink { isAwaited = isAwaited || exchange.proxy?.takesBody != true }
        if isAwaited {
            stopBodyClock()
            channel.pause()
            return false
        }
        let count = receiveBody(exchange, UnsafeRawBufferPointer(rebasing: bytes[taken...]))
        taken += count
        return count > 0 || exchange.input.isDone
    }

    /// Part of a request's body may have been written to an endpoint in this turn.
    private var forwardsBody: Bool {
        guard case .exchange = phase else { return false }
        return leased?._withUnsafeGuaranteedRef { exchange in
            if case .forward = exchange.sink { !exchange.input.isDone } else { false }
        } ?? false
    }

    /// Begins a request whose head is the one that the exchange at hand had before; nil if it is another.
    private func receiveRepeated(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let lease = owner.lease()
        leased = lease
        let version = owner.snapshotVersion
        guard lease._withUnsafeGuaranteedRef({ $0.repeatsHead(bytes, version: version) }) else {
            lease._withUnsafeGuaranteedRef { $0.forgetHead() }
            return nil
        }
        return begin(lease, bytes, isRepeated: true)
    }

    /// Begins the exchange of a complete head; answers the head's length.
    private func begin(_ lease: Unmanaged<Exchange>, _ bytes: UnsafeRawBufferPointer, isRepeated: Bool) -> Int {
        readDeadline = .max
        phase = .exchange
        let count = lease._withUnsafeGuaranteedRef { exchange in
            let count = Int(exchange.parser.pointee.head.byteCount)
            begin(exchange, bytes, isRepeated: isRepeated)
            return count
        }
        // Answered at once: the next request of this turn gets the same exchange, while it is in the cache.
        if leased == nil { owner.recycle(lease) }
        return count
    }

    /// Reads a head and begins its exchange; nil while it is unfinished.
    private func receiveHead(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard let lease = leased else { return nil }
        // The bytes are the loop's, valid during this call.
        let span = Span<UInt8>(_unsafeBytes: bytes)
        switch lease._withUnsafeGuaranteedRef({ $0.parser.pointee.parse(span) }) {
        case .incomplete:
            if readDeadline == .max {
                // Where room is short a head that stands still makes some, as an idle connection does: clients that
                // never end theirs must not keep others out until its timeout.
                channel.setIdle(since: loop.now, isNew: true)
                readDeadline = loop.now &+ configuration.headTimeout
            }
            guard bytes.count >= BufferBudget.smallPieceBytes, !loop.mayHold(BufferBudget.longPieceBytes) else {
                return nil
            }
            lease._withUnsafeGuaranteedRef { refuseHead($0) }
            if leased == nil { owner.retire(lease) }
            return bytes.count
        case .invalid(let fault):
            lease._withUnsafeGuaranteedRef { refuse($0, fault) }
            if leased == nil { owner.retire(lease) }
            return bytes.count
        case .complete:
            return begin(lease, bytes, isRepeated: false)
        }
    }

    // MARK: What else happens

    private func ended() {
        switch phase {
        case .idle, .head, .closing, .proxyHeader:
            phase = .closing
            finishChannel()
        case .tunnel:
            exchange?.proxy?.clientEnded()
        case .exchange:
            isLast = true
            guard let exchange else { return }
            if !exchange.input.isDone {
                // The body was cut short: there is nobody to answer, and nothing whole to answer to.
                exchange.inputFailure = .disconnected
                noteCancelled(exchange)
                breakOff()
                return
            }
            // A client that closed has most likely gone; one that only shut its side can still read an answer.
            noteCancelled(exchange)
            let isWaiting = exchange.slot.waits
            exchange.cancel()
            // What an endpoint was to answer, or has not begun, nobody answers now.
            if isWaiting { return breakOff() }
            if case .forward = exchange.sink { breakOff() }
        }
    }

    /// The client does not take what is sent as fast as it comes.
    private func blocked() {
        guard writeDeadline == .max else { return }
        writeDeadline = loop.now &+ configuration.writeTimeout
        sentBytesAtWindow = channel.acknowledgedByteCount(on: loop)
        updateDeadline()
    }

    private func drained() {
        writeDeadline = .max
        // What is broken off does not go on.
        if phase != .closing, let exchange {
            if case .copying = exchange.output { copyPending(exchange) }
            exchange.proxy?.clientDrained()
            exchange.wakeWriter()
        }
        if phase == .idle { channel.resume(on: loop) }
        updateDeadline()
    }

    private func closed(_ reason: CloseReason) {
        if let lease = leased {
            let exchange = lease.takeUnretainedValue()
            leased = nil
            // An exchange whose head was not complete has not begun.
            if exchange.connection != nil {
                owner.recordCut(exchange)
                exchange.withWatch { owner.measure(exchange, of: $0, $1, now: loop.now) }
                leaveStream(exchange)
                if reason == .failed { noteCancelled(exchange) }
            }
            exchange.connection = nil
            exchange.inputFailure = .disconnected
            exchange.isAbandoned.store(true, ordering: .relaxed)
            exchange.cancel()
            // Also if it was cancelled before: whoever waits on this connection waits no longer.
            exchange.wakeReader()
            exchange.wakeWriter()
            // Where a handler runs on, its end gives the place back.
            if !exchange.isHandlerRunning { owner.leave(exchange, now: loop.instant) }
            owner.retire(lease)
        }
        if reason == .failed { metrics.increment(.connectionsReset) }
        phase = .closing
        owner.give(self)
    }

    /// Counts a request whose client left before its response was whole, and tells its pool of one that had waited.
    func noteCancelled(_ exchange: Exchange) {
        guard !exchange.isCancelled.load(ordering: .relaxed) else { return }
        metrics.increment(.requestsCancelled)
        if exchange.output.isPending { owner.clientLeft(exchange) }
    }

    /// Ends the connection in the middle of an answer, so that the client does not take the part for the whole.
    func breakOff() {
        phase = .closing
        // A body that ends with its connection must not end in good order.
        if let exchange, case .untilClose = exchange.output { channel.resetOnClose() }
        // What was written of it goes out as far as the kernel takes it: the client sees what it was that broke off.
        loop.flush(channel)
        loop.close(channel)
    }
}
