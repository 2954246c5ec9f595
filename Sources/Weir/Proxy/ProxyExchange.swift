// SPDX-License-Identifier: Apache-2.0
// One request on its way to an endpoint and back: joins the client's exchange and the upstream connection that it leases.

import WeirEventLoop
import WeirHTTP
import WeirMetrics
import WeirUpstream

/// The upstream half of an exchange. Made once per exchange and used again with it.
///
///     idle ──> waiting ──> leased ──final head──> responding ──> idle
///               (for a connection)      └──101──> tunnel ──────> idle
///        leased ──failed, and safe to send again──> backingOff ──> waiting or leased
///
/// `@unchecked Sendable`: confined to its loop's thread.
final class ProxyExchange: @unchecked Sendable {
    enum Phase {
        case idle
        /// Every endpoint has as many connections as it may.
        case waiting
        /// An attempt has failed, and the next is a moment away.
        case backingOff
        /// A connection is leased, and the request is written to it.
        case leased
        /// The final head has gone to the client.
        case responding
        /// Bytes go both ways until both sides have ended.
        case tunnel
    }

    // The exchange owns this object.
    private let exchangeReference: Unmanaged<Exchange>
    let owner: ServerLoop
    let loop: EventLoop
    private(set) var phase = Phase.idle
    private var pool: UpstreamPool?
    /// The leased connection, which its channel keeps until it is closed, and then the lease has ended.
    private var leased: Unmanaged<UpstreamConnection>?
    /// Fields that middleware adds to the response.
    private(set) var added = Headers()
    private var attempts = 0
    /// Those that failed for something of their endpoint.
    private var failures = 0
    /// The slots of endpoints that have failed it.
    private var tried = TriedEndpoints()
    /// What `maglev` chooses its endpoint by.
    private var key: UInt64 = 0
    /// Begins the next attempt; made when it is first needed.
    private var retryTimer: LoopTimer?
    /// Where it stands among those who wait, once it has waited.
    private var place: UInt64?
    /// Where in the client's output the response begins.
    private var responseStart: UInt64 = 0
    /// Whether any of the request's body has been sent: then it cannot be sent again.
    private var hasSentBody = false
    private var hasClientEnded = false
    private var hasUpstreamEnded = false

    init(exchange: Exchange) {
        exchangeReference = Unmanaged.passUnretained(exchange)
        owner = exchange.owner
        loop = exchange.owner.loop
    }

    /// The exchange; reading it counts a reference, so what runs for every request has it passed.
    private var exchange: Exchange { exchangeReference.takeUnretainedValue() }

    private var taker: UpstreamEvents.Taker { Unmanaged.passUnretained(self).toOpaque() }

    private var connection: UpstreamConnection? { leased?.takeUnretainedValue() }

    var isIdle: Bool {
        if case .idle = phase { true } else { false }
    }

    /// Whether a piece of the request's body can be taken now.
    var takesBody: Bool {
        guard case .leased = phase else {
            if case .responding = phase { return true }
            return false
        }
        return leased?._withUnsafeGuaranteedRef { !$0.channel.isConnecting } ?? false
    }

    // MARK: The request

    /// Sends the request of the exchange to an endpoint of `pool`.
    func begin(_ pool: UpstreamPool, adding fields: Headers? = nil) {
        self.pool = pool
        if let fields { added = fields }
        attempts = 0
        failures = 0
        if !tried.isEmpty { tried = TriedEndpoints() }
        place = nil
        pool.upstream.retryBudget.noteRequest(at: loop.now)
        hasSentBody = false
        hasClientEnded = false
        hasUpstreamEnded = false
        exchangeReference._withUnsafeGuaranteedRef { exchange in
            if let source = pool.keySource { key = exchange.balancingKey(source) }
            exchange.isAnsweredAtOnce = false
            exchange.sink = .forward
            attempt(exchange)
        }
    }

    /// Leases a connection and writes the request to it, or answers that none can be had.
    func attempt(_ exchange: Exchange) {
        guard let pool else { return }
        let method = exchange.parser.pointee.head.method
        while true {
            let lease = pool.lease(
                to: taker,
                method: method,
                route: Int(exchange.routeIndex),
                tried: tried,
                key: key,
                place: place,
                left: exchange.timeLeft(at: loop.now)
            )
            switch lease {
            case .connection(let connection):
                // One that crosses a request that must not be sent twice, or once more, is looked at first.
                if connection.isReused, !method.isIdempotent || attempts > 0, connection.isStale {
                    connection.cancel()
                    continue
                }
                leased = Unmanaged.passUnretained(connection)
                phase = .leased
                return send(exchange, to: connection)
            case .wait(let place):
                self.place = place
                phase = .waiting
                return
            case .full:
                owner.metrics.increment(.rejectedNoEndpoint)
                return refuse(.serviceUnavailable, "every endpoint is busy", .noEndpoint, retryAfter: true)
            case .unavailable:
                owner.metrics.increment(.rejectedNoEndpoint)
                return refuse(.serviceUnavailable, "no endpoint takes requests now", .noEndpoint, retryAfter: true)
            case .late:
                owner.metrics.increment(.rejectedDeadlineUnmeetable)
                return refuse(.gatewayTimeout, "no endpoint answers within what is left", .deadlineUnmeetable)
            case .failed(let fault):
                return refuse(.badGateway, fault.message, fault.reason)
            }
        }
    }

    private func send(_ exchange: Exchange, to connection: UpstreamConnection) {
        exchange.endpointIndex = owner.endpointName(connection)
        if let version = connection.pool.upstream.policy.proxyProtocol {
            writeProxyHeader(version, of: exchange, to: connection)
        }
        writeHead(of: exchange, to: connection)
        // What middleware has let come in before.
        while let piece = exchange.parts.pointee.pieces.popFirst() {
            piece.withUnsafeBytes { writeBody($0, connection) }
        }
        if exchange.input.isDone { return endBody(exchange, connection) }
        exchange.withConnection { client in
            guard !client.isReceiving else { return }
            loop.flush(connection.channel)
            client.bodyWindowOpened(exchange)
        }
    }

    /// Takes a piece of the body; `takesBody` was true.
    func take(_ bytes: UnsafeRawBufferPointer) {
        // Who sends its body does not wait to be told to.
        exchange.owesContinue = false
        guard let connection else { return }
        writeBody(bytes, connection)
    }

    private func writeBody(_ bytes: UnsafeRawBufferPointer, _ connection: UpstreamConnection) {
        guard !bytes.isEmpty else { return }
        hasSentBody = true
        if exchange.parser.pointee.head.isChunked {
            writeFraming(connection) { ChunkedEncoder.writeSize(bytes.count, into: &$0) }
            loop.sendThrough(connection.channel, bytes)
            writeFraming(connection) { ChunkedEncoder.writeDataEnd(into: &$0) }
        } else {
            loop.sendThrough(connection.channel, bytes)
        }
        if connection.channel.queuedByteCount >= owner.configuration.outputWindowBytes {
            loop.flush(connection.channel)
            guard connection.channel.queuedByteCount >= owner.configuration.outputWindowBytes else { return }
            exchange.connection?.bodyWindowFilled()
            connection.awaitDrain()
        }
    }

    /// The body has come to its end.
    func bodyEnded() {
        guard let connection else { return }
        endBody(exchange, connection)
    }

    private func endBody(_ exchange: Exchange, _ connection: UpstreamConnection) {
        if exchange.parser.pointee.head.isChunked { writeTrailers(connection) }
        connection.endRequest()
        loop.flush(connection.channel)
    }

    /// Sends what has been written, at the end of the client's turn.
    func flush() {
        guard let connection else { return }
        loop.flush(connection.channel)
    }

    private func writeTrailers(_ connection: UpstreamConnection) {
        let trailers = exchange.parts.pointee.trailers
        var count = 16
        for (name, value) in trailers { count += name.utf8.count + value.utf8.count + 4 }
        var writer = HeadWriter(loop.reserveOutput(connection.channel, count))
        ChunkedEncoder.writeLastChunk(into: &writer)
        for (name, value) in trailers { _ = writer.field(name, value) }
        writer.end()
        loop.commitOutput(connection.channel, writer.count)
    }

    private func writeFraming(_ connection: UpstreamConnection, _ body: (inout HeadWriter) -> Void) {
        var writer = HeadWriter(loop.reserveOutput(connection.channel, ChunkedEncoder.sizeByteCountMax))
        body(&writer)
        loop.commitOutput(connection.channel, writer.count)
    }

    // MARK: What the client does

    /// The client has taken what was queued for it.
    func clientDrained() {
        connection?.resume()
    }

    /// Bytes of a tunnel, from the client.
    func tunnel(_ bytes: UnsafeRawBufferPointer) {
        guard let connection else { return }
        exchange.bodyBytesIn &+= UInt64(bytes.count)
        exchange.withConnection { $0.noteTunnelActivity() }
        loop.sendThrough(connection.channel, bytes)
        loop.flush(connection.channel)
        if connection.channel.queuedByteCount >= owner.configuration.outputWindowBytes {
            exchange.connection?.channel.pause()
        }
    }

    /// The client has ended its half of a tunnel.
    func clientEnded() {
        guard let connection, !hasClientEnded else { return }
        hasClientEnded = true
        loop.endOutput(connection.channel)
        if hasUpstreamEnded { finishTunnel() }
    }

    /// Nobody waits for the response any more: the endpoint is told by the end of its connection.
    func cancel() {
        switch phase {
        case .idle: return
        case .waiting: pool?.stopWaiting(taker)
        case .backingOff: if let retryTimer { loop.cancel(retryTimer) }
        case .leased, .responding, .tunnel: connection?.cancel(isLate: exchange.timeLeft(at: loop.now) == 0)
        }
        end()
    }

    private func end() {
        phase = .idle
        leased = nil
        pool = nil
        if !added.isEmpty { added = Headers() }
    }

    // MARK: What the endpoint does

    static let events = UpstreamEvents(
        connected: { taker, connection in with(taker) { $0.connected(connection) } },
        head: { taker, connection, bytes in withBoth(taker) { $0.head($1, connection, bytes) } },
        body: { taker, connection, bytes in withBoth(taker) { $0.body($1, connection, bytes) } },
        ended: { taker, connection, bytes, section in withBoth(taker) { $0.ended($1, connection, bytes, section) } },
        halfClosed: { taker, _ in with(taker) { $0.upstreamEnded() } },
        settled: { taker, _ in withBoth(taker) { $0.settled($1) } },
        drained: { taker, _ in with(taker) { $0.upstreamDrained() } },
        failed: { taker, connection, fault in with(taker) { $0.failed(connection, fault) } },
        available: { taker in withBoth(taker) { $0.attempt($1) } }
    )

    /// As `with`, with the exchange beside it: reading it from there would count references.
    @inline(__always)
    private static func withBoth(_ taker: UpstreamEvents.Taker, _ body: (ProxyExchange, Exchange) -> Void) {
        with(taker) { proxy in proxy.exchangeReference._withUnsafeGuaranteedRef { body(proxy, $0) } }
    }

    @inline(__always)
    private static func with(_ taker: UpstreamEvents.Taker, _ body: (ProxyExchange) -> Void) {
        // The exchange is leased as long as its proxy half is in use, and owns it.
        Unmanaged<ProxyExchange>.fromOpaque(taker)._withUnsafeGuaranteedRef(body)
    }

    private func connected(_ connection: UpstreamConnection) {
        exchange.connection?.bodyWindowOpened(exchange)
    }

    private func head(_ exchange: Exchange, _ upstream: UpstreamConnection, _ bytes: UnsafeRawBufferPointer) {
        let head = upstream.parser.pointee.head
        exchange.withConnection { connection in take(head, exchange, connection, upstream, bytes) }
    }

    private func take(
        _ head: ResponseHead,
        _ exchange: Exchange,
        _ connection: HTTP1Connection,
        _ upstream: UpstreamConnection,
        _ bytes: UnsafeRawBufferPointer
    ) {
        if head.isInterim {
            connection.forwardInterim(exchange, upstream, bytes)
            holdBack(upstream, connection)
        } else if case .tunnel = head.framing {
            beginTunnel(connection, upstream, bytes)
        } else {
            phase = .responding
            responseStart = connection.channel.outputPosition
            connection.forwardHead(exchange, upstream, bytes, adding: added)
        }
    }

    private func body(_ exchange: Exchange, _ upstream: UpstreamConnection, _ bytes: UnsafeRawBufferPointer) {
        exchange.withConnection { connection in
            if case .tunnel = phase {
                connection.tunnel(bytes)
            } else {
                connection.forwardBody(exchange, bytes)
            }
            holdBack(upstream, connection)
        }
    }

    /// Stops receiving from the endpoint where the client takes it slower than it comes.
    private func holdBack(_ upstream: UpstreamConnection, _ connection: HTTP1Connection) {
        guard connection.isOutputFull else { return }
        loop.flush(connection.channel)
        if connection.isOutputFull { upstream.pause() }
    }

    private func ended(
        _ exchange: Exchange,
        _ upstream: UpstreamConnection,
        _ bytes: UnsafeRawBufferPointer,
        _ section: ByteRange
    ) {
        end()
        exchange.withConnection { $0.endForward(exchange, bytes, section) }
    }

    private func settled(_ exchange: Exchange) {
        exchange.withConnection { $0.forwardSettled() }
    }

    private func upstreamDrained() {
        guard let connection = exchange.connection else { return }
        if case .tunnel = phase {
            connection.channel.resume(on: owner.loop)
        } else {
            connection.bodyWindowOpened(exchange)
        }
    }

    private func failed(_ upstream: UpstreamConnection, _ fault: UpstreamFault) {
        let wasTunnel = if case .tunnel = phase { true } else { false }
        leased = nil
        guard let connection = exchange.connection else { return end() }
        if case .responding = phase, loop.takeBackOutput(connection.channel, to: responseStart) {
            // Nothing of the response has gone out: the client can still be told what became of it.
            exchange.output = .pending
        }
        if exchange.output.isPending, let failure = upstream.attemptFailure(fault),
            triesAgain(after: failure, of: upstream.endpoint)
        {
            return
        }
        end()
        if exchange.output.isPending {
            refuse(.badGateway, fault.message, fault.reason)
        } else if wasTunnel {
            connection.endTunnel(exchange)
        } else {
            exchange.reason = fault.reason
            // What came before the fault, and answers to earlier requests, are still the client's.
            loop.flush(connection.channel)
            connection.breakOff()
        }
    }

    /// Sends the request again, now or in a moment, where that cannot carry it out twice and there is leave for it.
    private func triesAgain(after failure: AttemptFailure, of endpoint: Endpoint) -> Bool {
        guard let pool else { return false }
        attempts += 1
        // The end of an unused connection says nothing of the endpoint.
        if failure != .stale {
            failures += 1
            tried.insert(endpoint.slot)
        }
        let attempt = FailedAttempt(
            failure: failure,
            attempts: attempts,
            isIdempotent: exchange.parser.pointee.head.method.isIdempotent,
            isReplayable: !hasSentBody,
            hasOther: pool.upstream.addressCount > failures,
            left: exchange.timeLeft(at: loop.now)
        )
        let route = exchange.route
        guard
            let wait = pool.wait(
                before: route?.retry ?? RetryPolicy(),
                budget: route?.retryBudget ?? RetryBudget.Policy(),
                after: attempt
            )
        else { return false }
        owner.metrics.increment(.upstreamRetries)
        if wait == 0 {
            self.attempt(exchange)
        } else {
            phase = .backingOff
            // Kept for the next time: it may be what fires.
            let timer =
                retryTimer
                ?? LoopTimer { [unowned(unsafe) self] _ in
                    exchangeReference._withUnsafeGuaranteedRef { self.attempt($0) }
                }
            retryTimer = timer
            loop.schedule(timer, at: loop.now &+ wait)
        }
        return true
    }

    private func refuse(_ status: Status, _ message: String, _ reason: AccessReason, retryAfter: Bool = false) {
        end()
        guard let connection = exchange.connection else { return }
        exchange.reason = reason
        let headers: Headers = retryAfter ? ["Retry-After": "1"] : Headers()
        let error = HTTPError(status, message, headers: headers)
        connection.respond(exchange, Problem.response(error, exchange: exchange, reason: "\(reason.name)"))
    }

    // MARK: Tunnels

    private func beginTunnel(
        _ connection: HTTP1Connection,
        _ upstream: UpstreamConnection,
        _ bytes: UnsafeRawBufferPointer
    ) {
        guard exchange.parser.pointee.head.hasUpgrade, exchange.input.isDone else {
            // Nobody has asked for it, or the request is not over: what follows could be read in two ways.
            upstream.cancel()
            return refuse(.badGateway, UpstreamFault.malformed(.unasked).message, .upstreamMalformed)
        }
        guard owner.server.tunnels.enter() else {
            upstream.cancel()
            owner.metrics.increment(.rejectedTunnels)
            return refuse(.serviceUnavailable, "too many tunnels are open", .tunnels, retryAfter: true)
        }
        phase = .tunnel
        connection.beginTunnel(exchange, upstream, bytes, adding: added)
    }

    private func upstreamEnded() {
        guard !hasUpstreamEnded, let connection = exchange.connection else { return }
        hasUpstreamEnded = true
        loop.endOutput(connection.channel)
        loop.flush(connection.channel)
        if hasClientEnded { finishTunnel() }
    }

    /// Both halves have ended: what is queued still goes out.
    private func finishTunnel() {
        guard let upstream = connection, let connection = exchange.connection else { return }
        upstream.finish(writeTimeout: owner.configuration.writeTimeout)
        end()
        connection.endTunnel(exchange)
    }
}

extension HTTPMethod {
    /// Whether carrying a request out twice is the same as once (RFC 9110 section 9.2.2).
    var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace: true
        case .post, .patch, .connect, .other: false
        }
    }
}

extension RequestHead {
    var isChunked: Bool {
        if case .chunked = framing { true } else { false }
    }
}
