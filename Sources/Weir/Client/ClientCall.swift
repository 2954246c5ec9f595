// SPDX-License-Identifier: Apache-2.0
// One request of a handler on its way to an endpoint and back. Confined to the loop of the handler's request.

import WeirEventLoop
import WeirHTTP
import WeirMetrics
import WeirUpstream

/// A call, from its start to its one outcome.
///
/// `@unchecked Sendable`: confined to its loop's thread. The task that waits for the outcome keeps it.
final class ClientCall: @unchecked Sendable {
    enum Outcome: Sendable {
        case response(ClientResponse)
        case failed(ClientError)
        case cancelled
    }

    private let exchange: Exchange
    private let owner: ServerLoop
    private let loop: EventLoop
    private let upstreamName: String
    private let head: ClientHead
    private let body: [UInt8]
    private let bytesMax: Int

    /// Who waits for the outcome; nil before the start and when the outcome is there.
    private var waiting: UnsafeContinuation<Outcome, Never>?
    private var deadline: Nanoseconds = 0
    private var timer: LoopTimer?
    private var pool: UpstreamPool?
    private var connection: UpstreamConnection?
    private var attempts = RequestAttempts()
    /// The next attempt, while it is a moment away.
    private var retryTimer: LoopTimer?

    private var status = 0
    private var headers = Headers()
    private var received: [UInt8] = []

    init(_ exchange: Exchange, upstream: String, _ head: ClientHead, body: [UInt8], bytesMax: Int) {
        self.exchange = exchange
        owner = exchange.owner
        loop = exchange.owner.loop
        upstreamName = upstream
        self.head = head
        self.body = body
        self.bytesMax = bytesMax
    }

    private var taker: UpstreamEvents.Taker { Unmanaged.passUnretained(self).toOpaque() }

    func start(_ continuation: UnsafeContinuation<Outcome, Never>) {
        waiting = continuation
        guard let pool = owner.clientPools.pool(upstreamName) else {
            return end(.failed(.unknownUpstream(upstreamName)))
        }
        let left = exchange.timeLeft(at: loop.now)
        guard left > 0 else { return end(.failed(.deadlineExceeded)) }
        self.pool = pool
        pool.upstream.retryBudget.noteRequest(at: loop.now)
        deadline = loop.now &+ left
        let timer = LoopTimer { [unowned self] _ in giveUp(.failed(.deadlineExceeded)) }
        self.timer = timer
        loop.schedule(timer, at: deadline)
        attempt()
    }

    /// The task was cancelled: nobody waits for the response.
    func cancel() {
        giveUp(.cancelled)
    }

    /// Takes a connection and sends the request over it.
    private func attempt() {
        guard let pool, waiting != nil else { return }
        let lease = attempts.lease(
            from: pool,
            to: taker,
            method: head.method,
            route: Int(exchange.routeIndex),
            key: pool.keySource.map { exchange.balancingKey($0) } ?? 0,
            left: deadline &- min(deadline, loop.now)
        )
        switch lease {
        case .connection(let reference):
            let connection = reference.takeUnretainedValue()
            self.connection = connection
            send(over: connection)
        case .wait(let place): attempts.place = place
        case .full: end(.failed(.busy))
        case .unavailable: end(.failed(.unavailable))
        case .late: end(.failed(.deadlineUnmeetable))
        case .failed(let fault): end(.failed(ClientError(fault)))
        }
    }

    private func send(over connection: UpstreamConnection) {
        writeHead(head, of: exchange, until: deadline, to: connection)
        body.withUnsafeBytes { loop.send(connection.channel, $0) }
        connection.endRequest(headTimeout: exchange.route?.retry.attemptTimeout ?? .max)
        loop.flush(connection.channel)
    }

    /// Ends the call before its response is whole.
    private func giveUp(_ outcome: Outcome) {
        guard waiting != nil else { return }
        if let connection {
            connection.cancel()
        } else {
            pool?.stopWaiting(taker)
        }
        end(outcome)
    }

    private func end(_ outcome: Outcome) {
        // Kept: it may be what fires.
        if let timer { loop.cancel(timer) }
        if let retryTimer { loop.cancel(retryTimer) }
        connection = nil
        pool = nil
        let waiting = waiting
        self.waiting = nil
        waiting?.resume(returning: outcome)
    }

    // MARK: What the endpoint does

    static let events = UpstreamEvents(
        connected: { _, _ in },
        head: { taker, connection, bytes in with(taker) { $0.head(connection, bytes) } },
        body: { taker, _, bytes in with(taker) { $0.body(bytes) } },
        ended: { taker, _, _, _ in with(taker) { $0.ended() } },
        halfClosed: { _, _ in },
        // Told once more behind the end, when the call may be gone: nothing here may look at the taker.
        settled: { _, _ in },
        drained: { _, _ in },
        failed: { taker, connection, fault in with(taker) { $0.failed(connection, fault) } },
        available: { taker in with(taker) { $0.attempt() } }
    )

    @inline(__always)
    private static func with(_ taker: UpstreamEvents.Taker, _ body: (ClientCall) -> Void) {
        // A call is a taker only while its task waits, and the task keeps it. Retained: `body` may be what lets it go.
        body(Unmanaged<ClientCall>.fromOpaque(taker).takeUnretainedValue())
    }

    private func head(_ connection: UpstreamConnection, _ bytes: UnsafeRawBufferPointer) {
        let head = connection.parser.pointee.head
        if head.isInterim { return }
        if let failure = connection.attemptFailure(head, bytes, exchange.route?.retry),
            let wait = waitAfter(failure, of: connection)
        {
            connection.discard()
            self.connection = nil
            return attempt(after: wait)
        }
        switch head.framing {
        // Nobody has asked for one.
        case .tunnel: return giveUp(.failed(.malformedResponse))
        case .length(let count) where count > UInt64(bytesMax): return giveUp(.failed(.bodyTooLarge(.bytes(bytesMax))))
        case .length(let count): received.reserveCapacity(Int(count))
        case .none, .chunked, .untilClose: break
        }
        status = head.status
        for index in 0..<connection.parser.pointee.fields.count {
            let field = connection.parser.pointee.fields.field(index)
            headers.add(
                String(decoding: bytes[field.name.bounds], as: UTF8.self),
                String(decoding: bytes[field.value.bounds], as: UTF8.self)
            )
        }
    }

    private func body(_ bytes: UnsafeRawBufferPointer) {
        guard received.count + bytes.count <= bytesMax else {
            return giveUp(.failed(.bodyTooLarge(.bytes(bytesMax))))
        }
        received.append(contentsOf: bytes)
    }

    private func ended() {
        end(.response(ClientResponse(status: status, headers: headers, body: received)))
    }

    private func failed(_ connection: UpstreamConnection, _ fault: UpstreamFault) {
        self.connection = nil
        guard let failure = connection.attemptFailure(fault), let wait = waitAfter(failure, of: connection) else {
            return end(.failed(ClientError(fault)))
        }
        attempt(after: wait)
    }

    private func waitAfter(_ failure: AttemptFailure, of connection: UpstreamConnection) -> Nanoseconds? {
        attempts.waitAfter(
            failure,
            of: connection.endpoint,
            in: connection.pool,
            on: exchange.route,
            method: head.method,
            // The body is kept until the end.
            isReplayable: true,
            left: deadline &- min(deadline, loop.now)
        )
    }

    private func attempt(after wait: Nanoseconds) {
        owner.metrics.increment(.upstreamRetries)
        guard wait > 0 else { return attempt() }
        let timer = retryTimer ?? LoopTimer { [unowned self] _ in attempt() }
        retryTimer = timer
        loop.schedule(timer, at: loop.now &+ wait)
    }
}
