// SPDX-License-Identifier: Apache-2.0
// One request on its way to an endpoint and back: joins the client's exchange and the upstream connection that it leases.
// Its attempts, its request, its response and its tunnel are each in a file beside this one.

import WeirEventLoop
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
    var phase = Phase.idle
    private(set) var pool: UpstreamPool? {
        didSet { poolReference = pool.map(Unmanaged.passUnretained) }
    }
    /// `pool` again, for where counting its references would cost more than what is done with it.
    private(set) var poolReference: Unmanaged<UpstreamPool>?
    /// What the request's route says of the upstream, kept by the route; nil for what the loop goes by.
    private(set) var edition: Unmanaged<UpstreamEdition>?
    /// The leased connection, which its channel keeps until it is closed, and then the lease has ended.
    var leased: Unmanaged<UpstreamConnection>?
    /// Fields that middleware adds to the response.
    private(set) var added = Headers()
    // What changes it calls nothing that could change it too; the run-time check of that costs each request 150
    // instructions.
    @exclusivity(unchecked) var attempts = RequestAttempts()
    // As above.
    @exclusivity(unchecked) var forwardedHead = ForwardedHead()
    /// What `maglev` chooses its endpoint by.
    private(set) var key: UInt64 = 0
    /// The copy for the route's mirror, as long as there is more of the body.
    var copy: MirrorCopy?
    /// Begins the next attempt; made when it is first needed.
    var retryTimer: LoopTimer?
    /// Where in the client's output the response begins.
    var responseStart: UInt64 = 0
    /// Whether any of the request's body has been sent: then it cannot be sent again.
    var hasSentBody = false
    var hasClientEnded = false
    var hasUpstreamEnded = false

    init(exchange: Exchange) {
        exchangeReference = Unmanaged.passUnretained(exchange)
        owner = exchange.owner
        loop = exchange.owner.loop
    }

    deinit {
        forwardedHead.deallocate()
    }

    /// The exchange; reading it counts a reference, so what runs for every request has it passed.
    var exchange: Exchange { exchangeReference.takeUnretainedValue() }

    var taker: UpstreamEvents.Taker { Unmanaged.passUnretained(self).toOpaque() }

    var connection: UpstreamConnection? { leased?.takeUnretainedValue() }

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

    // MARK: Its beginning and its end

    /// Sends the request of the exchange to an endpoint of `pool`.
    func begin(_ pool: UpstreamPool, as edition: Unmanaged<UpstreamEdition>? = nil, adding fields: Headers? = nil) {
        self.pool = pool
        self.edition = edition
        if let fields { added = fields }
        if attempts.isUsed { attempts = RequestAttempts() }
        pool.upstream.retryBudget.noteRequest(at: loop.now)
        hasSentBody = false
        hasClientEnded = false
        hasUpstreamEnded = false
        exchangeReference._withUnsafeGuaranteedRef { exchange in
            if let source = pool.keySource { key = exchange.balancingKey(source) }
            exchange.isAnsweredAtOnce = false
            exchange.sink = .forward
            guard let mirror = exchange.routeReference?._withUnsafeGuaranteedRef({ $0.mirrorReference }) else {
                return attempt(exchange)
            }
            attempt(exchange, copiedTo: mirror)
        }
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

    func end() {
        phase = .idle
        leased = nil
        pool = nil
        if copy != nil { cutCopy() }
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
}
