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
    private(set) var channel: Channel
    private(set) var peer = PeerAddress()
    var phase = ConnectionPhase.idle
    /// The exchange at hand with the one reference of its lease, see `ServerLoop.lease`.
    var leased: Unmanaged<Exchange>?
    var requestCount = 0
    /// When the connection is to be closed because of its age.
    private(set) var retiresAt: Nanoseconds = .max
    /// No request follows the present one.
    var isLast = false
    /// A call of `received` is on the stack: output goes out when it returns, and it goes on with what follows.
    private(set) var isReceiving = false

    /// Where the client connected to, if a trusted PROXY header has said so.
    private var namedTarget: SocketAddress?
    /// The peer is a proxy whose word about the client counts.
    private(set) var isPeerTrusted = false
    /// What requests that go on say of the peer; made for the first one.
    // Changed in two places, neither of which calls anything that could change it too; the run-time check of that would
    // cost each request 60 instructions, because the compiler makes it at the start of `received`.
    @exclusivity(unchecked) private var ownClientFields = ClientFields()

    // Instants at which something has taken too long; `.max` when nothing is waited for.
    var readDeadline: Nanoseconds = .max
    var writeDeadline: Nanoseconds = .max
    var idleDeadline: Nanoseconds = .max
    /// Bytes of the body that came since, and bytes that the client had acknowledged when the present timeout began.
    var bodyBytesInWindow: UInt64 = 0
    var sentBytesAtWindow: UInt64 = 0
    /// When a piece of the request's body has been taken for the last time.
    var bodyTakenAt: Nanoseconds = 0
    /// When either side of a tunnel has sent something for the last time.
    var tunnelActiveAt: Nanoseconds = 0

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

    func open(_ channel: Channel, _ address: SocketAddress) {
        self.channel = channel
        peer = PeerAddress(address)
        if namedTarget != nil { namedTarget = nil }
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
        channel.context = Unmanaged.passRetained(self).toOpaque()
        if configuration.takesProxyProtocol, isPeerTrusted {
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
        if ownClientFields.isEmpty { ownClientFields.write(peer.socketAddress) }
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
        peer = PeerAddress(address)
        isPeerTrusted = configuration.trustedProxies.contains(address)
        ownClientFields.forget()
    }

    /// Where the client connected to.
    var target: SocketAddress? { namedTarget ?? channel.localAddress }

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
                phase = .head
                if let count = receiveRepeated(UnsafeRawBufferPointer(rebasing: bytes[taken...])) { taken += count }
            case .head:
                let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
                guard let count = receiveHead(rest) else { break working }
                taken += count
            case .exchange:
                guard let lease = leased else { break working }
                let exchange = lease.takeUnretainedValue()
                if case .forward = exchange.sink, exchange.proxy?.takesBody != true, !exchange.input.isDone {
                    // Until a connection stands, the body stays where it is.
                    channel.pause()
                    break working
                }
                if exchange.input.isDone {
                    // The next request waits for this answer. With nothing there, the channel stays open for reading:
                    // that the client goes away is learned at once.
                    if taken < bytes.count { channel.pause() }
                    break working
                }
                let count = receiveBody(exchange, UnsafeRawBufferPointer(rebasing: bytes[taken...]))
                taken += count
                if leased == nil { owner.retire(lease) }
                if channel.isPaused || (count == 0 && !exchange.input.isDone) { break working }
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
                channel.setIdle(since: .max)
                readDeadline = loop.now &+ configuration.headTimeout
            }
            return nil
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
            exchange.cancel()
            // What an endpoint was to answer, nobody answers now.
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
        if let exchange {
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
                leaveStream(exchange)
                metrics.decrement(.requestsExecuting)
                if reason == .failed { noteCancelled(exchange) }
            }
            exchange.connection = nil
            exchange.inputFailure = .disconnected
            exchange.isAbandoned.store(true, ordering: .relaxed)
            exchange.cancel()
            // Also if it was cancelled before: whoever waits on this connection waits no longer.
            exchange.wakeReader()
            exchange.wakeWriter()
            owner.retire(lease)
        }
        if reason == .failed { metrics.increment(.connectionsReset) }
        phase = .closing
        owner.give(self)
    }

    /// Counts a request whose client left before its response was whole.
    private func noteCancelled(_ exchange: Exchange) {
        if !exchange.isCancelled.load(ordering: .relaxed) { metrics.increment(.requestsCancelled) }
    }

    /// Ends the connection in the middle of an answer, so that the client does not take the part for the whole.
    func breakOff() {
        phase = .closing
        // A body that ends with its connection must not end in good order.
        if let exchange, case .untilClose = exchange.output { channel.resetOnClose() }
        loop.close(channel)
    }

    // MARK: Deadlines

    /// After each piece of work: arms the one deadline that the channel has.
    func settle() {
        if phase == .idle { becomeIdle() } else { updateDeadline() }
    }

    private func becomeIdle() {
        let now = loop.now
        channel.setIdle(since: now, isNew: requestCount == 0)
        readDeadline = .max
        if owner.server.isClosingIdle {
            closeIfIdle()
            return
        }
        // Of old age only after a moment of idleness: the next request may be on its way.
        idleDeadline = min(now &+ configuration.keepAliveTimeout, max(retiresAt, now &+ Self.idleGrace))
        channel.setDeadline(min(idleDeadline, writeDeadline), on: loop)
    }

    /// For how long a connection that is to go may still begin a request.
    private static let idleGrace: Nanoseconds = 1_000_000_000

    func updateDeadline() {
        var deadline = min(readDeadline, writeDeadline)
        switch phase {
        case .exchange:
            // Until it the response's head must be there; what still flows then becomes a stream.
            if let lease = leased {
                deadline = min(deadline, lease._withUnsafeGuaranteedRef { headDeadline($0) })
            }
        case .tunnel:
            deadline = min(writeDeadline, loop.now &+ configuration.tunnelTimeout)
        case .head, .proxyHeader:
            break
        case .idle, .closing:
            return
        }
        channel.setDeadline(deadline, on: loop)
    }

    /// A drain closes connections that wait for nothing. One that has not had an answer yet is given a moment to ask.
    func closeIfIdle() {
        guard phase == .idle else { return }
        if requestCount == 0 || channel.hasUntakenBytes || channel.hasInput(on: loop) {
            idleDeadline = loop.now &+ Self.idleGrace
            channel.setDeadline(idleDeadline, on: loop)
        } else {
            endIdle()
        }
    }

    /// Sends what is queued, then ends the connection.
    func finishChannel() {
        loop.finish(
            channel,
            writeTimeout: configuration.writeTimeout,
            bytesPerTimeoutMin: configuration.writeBytesPerTimeoutMin
        )
    }

    private func endIdle() {
        phase = .closing
        finishChannel()
    }

    private func timedOut() {
        let now = loop.now
        if writeDeadline <= now {
            if writeWindowIsTooSlow() {
                metrics.increment(.timeoutsWrite)
                breakOff()
                return
            }
            writeDeadline = now &+ configuration.writeTimeout
            sentBytesAtWindow = channel.acknowledgedByteCount(on: loop)
        }
        switch phase {
        case .idle where idleDeadline <= now:
            if !owner.server.isClosingIdle {
                metrics.increment(now >= retiresAt ? .connectionsRetired : .timeoutsKeepAlive)
            }
            endIdle()
        case .idle:
            channel.setDeadline(min(idleDeadline, writeDeadline), on: loop)
            return
        case .head where readDeadline <= now:
            metrics.increment(.timeoutsHead)
            answerTimeout(.requestTimeout, "the request's head took too long")
        case .exchange:
            guard let exchange else { return }
            if exchange.stream == .none, exchange.deadline <= now, isFlowing(exchange) {
                becomeStream(exchange)
            } else if exchange.output.isPending, headDeadline(exchange) <= now {
                metrics.increment(.timeoutsDeadline)
                metrics.increment(.rejectedDeadlineExceeded)
                exchange.reason = .deadlineExceeded
                answerTimeout(.gatewayTimeout, "the response took too long")
            } else if readDeadline <= now {
                bodyTimedOut(exchange, now)
            }
        case .tunnel where loop.now &- tunnelActiveAt >= configuration.tunnelTimeout:
            metrics.increment(.timeoutsTunnel)
            breakOff()
            return
        case .proxyHeader where readDeadline <= now:
            metrics.increment(.timeoutsHead)
            endIdle()
        case .head, .closing, .tunnel, .proxyHeader:
            break
        }
        settle()
    }

    // MARK: Streams

    /// The deadline has passed while the response flows: it is counted as a stream from now on, or cut off where there
    /// are as many as may be.
    private func becomeStream(_ exchange: Exchange) {
        guard owner.server.streams.enter() else {
            metrics.increment(.streamsCut)
            exchange.reason = .deadlineExceeded
            breakOff()
            return
        }
        exchange.stream = .response
        metrics.increment(.streamsActive)
    }

    /// Until when the response's head must be there. While a request's body flows beyond the deadline, that long after
    /// its last piece was taken.
    private func headDeadline(_ exchange: Exchange) -> Nanoseconds {
        switch exchange.stream {
        case .none: return exchange.deadline
        case .response where exchange.output.isPending:
            guard let route = exchange.routeReference else { return .max }
            return bodyTakenAt &+ route._withUnsafeGuaranteedRef { $0.deadlineNanoseconds }
        case .response, .tunnel: return .max
        }
    }

    /// Whether a body is on its way: the response's, or the request's to somebody who takes it.
    private func isFlowing(_ exchange: Exchange) -> Bool {
        if !exchange.output.isPending { return true }
        guard !exchange.input.isDone else { return false }
        switch exchange.sink {
        case .forward, .stream:
            // While it is held back, it flows if some of it was taken a moment ago.
            return !channel.isPaused || loop.now &- bodyTakenAt < min(Self.flowGrace, configuration.deadlineHalf)
        case .collect, .discard:
            return false
        }
    }

    private static let flowGrace: Nanoseconds = 1_000_000_000

    /// The request is whole. If that took longer than its deadline, the response has the deadline from now on.
    func restartDeadline(_ exchange: Exchange) {
        guard exchange.output.isPending, let route = exchange.route else { return }
        switch exchange.sink {
        case .forward, .stream:
            guard exchange.stream == .response else { return }
            leaveStream(exchange)
        case .collect:
            break
        case .discard:
            return
        }
        exchange.deadline = loop.now &+ route.deadlineNanoseconds
    }

    /// Takes an exchange that is over out of the count.
    func leaveStream(_ exchange: Exchange) {
        switch exchange.stream {
        case .none: return
        case .response: owner.server.streams.leave()
        case .tunnel:
            metrics.decrement(.tunnelsActive)
            owner.server.tunnels.leave()
        }
        exchange.stream = .none
        metrics.decrement(.streamsActive)
    }

    private func writeWindowIsTooSlow() -> Bool {
        // What the peer has acknowledged, not what the kernel has taken: a full send buffer hides a steady slow reader.
        let moved = channel.acknowledgedByteCount(on: loop) &- sentBytesAtWindow
        return moved == 0 || moved < min(configuration.writeBytesPerTimeoutMin, UInt64(channel.queuedByteCount))
    }

    private func bodyTimedOut(_ exchange: Exchange, _ now: Nanoseconds) {
        if bodyBytesInWindow > 0, bodyBytesInWindow >= configuration.bodyBytesPerTimeoutMin {
            bodyBytesInWindow = 0
            readDeadline = now &+ configuration.bodyTimeout
            return
        }
        metrics.increment(.timeoutsBody)
        exchange.inputFailure = .timedOut
        answerTimeout(.requestTimeout, "the request's body took too long")
    }

    private func answerTimeout(_ status: Status, _ message: String) {
        guard let exchange else { return }
        exchange.isAbandoned.store(true, ordering: .relaxed)
        exchange.cancel()
        guard exchange.connection != nil || phase == .head else { return }
        if !exchange.output.isPending {
            breakOff()
            return
        }
        if phase == .head { beginUnrouted(exchange) }
        if !exchange.input.isDone || status == .requestTimeout { isLast = true }
        respond(exchange, Problem.response(HTTPError(status, message), exchange: exchange))
    }
}
