// SPDX-License-Identifier: Apache-2.0
// What a connection waits for and how long: idleness, head, body, response, a client that does not take it; and what
// outlives its deadline. Owned by its loop.

import Synchronization
import WeirEventLoop
import WeirHTTP
import WeirMetrics

extension HTTP1Connection {
    /// After each piece of work: arms the one deadline that the channel has.
    func settle() {
        if phase == .idle { becomeIdle() } else { updateDeadline() }
    }

    func becomeIdle() {
        let now = loop.now
        channel.setIdle(since: now, isNew: requestCount == 0)
        readDeadline = .max
        if owner.server.isClosingIdle {
            closeIfIdle()
            return
        }
        // Of old age only after a moment of idleness: the next request may be on its way.
        let grace = owner.isLeaving ? Self.leavingGrace : Self.idleGrace
        idleDeadline = min(now &+ configuration.keepAliveTimeout, max(retiresAt, now &+ grace))
        arm(min(idleDeadline, writeDeadline))
    }

    /// Arms the one deadline that the channel has. A handshake that is not done yet has its own.
    @inline(__always)
    private func arm(_ deadline: Nanoseconds) {
        channel.setDeadline(peer.isEarly ? min(deadline, handshakeDeadline) : deadline, on: loop)
    }

    /// For how long a connection that is to go may still begin a request.
    static let idleGrace: Nanoseconds = 1_000_000_000

    /// The loop takes no more connections, and this one has had its time: the next answer is its last. While it waits for
    /// nothing it is given a moment to ask for that.
    func retire() {
        endAge()
        guard phase == .idle else { return }
        idleDeadline = min(idleDeadline, loop.now &+ Self.leavingGrace)
        arm(min(idleDeadline, writeDeadline))
    }

    /// For how long a connection of a loop that takes no more may be idle: a client that asks more often than that is told
    /// by an answer that the connection ends, and never finds it closed.
    static let leavingGrace: Nanoseconds = 5_000_000_000

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
        arm(deadline)
    }

    /// A drain closes connections that wait for nothing. One that has not had an answer yet is given a moment to ask.
    func closeIfIdle() {
        guard phase == .idle else { return }
        if requestCount == 0 || channel.hasUntakenBytes || channel.hasInput(on: loop) {
            idleDeadline = loop.now &+ Self.idleGrace
            arm(idleDeadline)
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

    func timedOut() {
        let now = loop.now
        if peer.isEarly, handshakeDeadline <= now {
            metrics.increment(.timeoutsHandshake)
            breakOff()
            return
        }
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
            if owner.isLeaving, !owner.server.isClosingIdle, !channel.isPaused, channel.hasInput(on: loop) {
                // A request has come in the meantime; it is read in a moment.
                idleDeadline = now &+ Self.idleGrace
                arm(min(idleDeadline, writeDeadline))
                return
            }
            if !owner.server.isClosingIdle {
                metrics.increment(now >= retiresAt ? .connectionsRetired : .timeoutsKeepAlive)
            }
            endIdle()
        case .idle:
            arm(min(idleDeadline, writeDeadline))
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
                metrics.recordRejection(.deadlineExceeded, route: exchange.routeIndex)
                exchange.reason = .deadlineExceeded
                answerTimeout(.gatewayTimeout, "the response took too long")
            } else if readDeadline <= now {
                bodyTimedOut(exchange)
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
        owner.leave(exchange, now: loop.latest)
        metrics.countStream(route: exchange.routeIndex, begins: true)
    }

    /// Until when the response's head must be there. While a request's body flows beyond the deadline, that long after
    /// its last piece was taken, but not beyond what the client said.
    private func headDeadline(_ exchange: Exchange) -> Nanoseconds {
        switch exchange.stream {
        case .none: return exchange.deadline
        case .response where exchange.output.isPending:
            if exchange.input.isDone { return exchange.deadline }
            return min(bodyTakenAt &+ exchange.budget, exchange.callerDeadline)
        case .response, .tunnel: return .max
        }
    }

    /// Whether a body is on its way: the response's, or the request's to somebody who takes it, for a client that still
    /// waits.
    private func isFlowing(_ exchange: Exchange) -> Bool {
        if !exchange.output.isPending { return true }
        guard !exchange.input.isDone, loop.now < exchange.callerDeadline else { return false }
        switch exchange.sink {
        case .forward, .stream:
            // While it is held back, it flows if some of it was taken a moment ago.
            return !channel.isPaused || loop.now &- bodyTakenAt < min(Self.flowGrace, exchange.budget / 2)
        case .collect, .discard:
            return false
        }
    }

    private static let flowGrace: Nanoseconds = 1_000_000_000

    /// The request is whole. If that took longer than its deadline, the response has the same limit from now on, the
    /// route's or that of its degradation, but no longer than the client waits. The request has left its pool by then, so it stays among the streams: what runs
    /// is bounded by the one or the other.
    func restartDeadline(_ exchange: Exchange) {
        guard exchange.output.isPending, exchange.routeReference != nil else { return }
        switch exchange.sink {
        case .forward, .stream:
            guard exchange.stream == .response else { return }
        case .collect:
            break
        case .discard:
            return
        }
        // Where the client waits for less than the route allows, its own instant comes first.
        exchange.deadline = min(loop.now &+ exchange.budget, exchange.callerDeadline)
    }

    /// Answers a request that nobody waits for any more.
    func refuseExpired(_ exchange: Exchange) {
        metrics.increment(.timeoutsDeadline)
        metrics.recordRejection(.deadlineExceeded, route: exchange.routeIndex)
        exchange.reason = .deadlineExceeded
        respondRefusal(exchange, AdmissionRefused(reason: .deadlineExceeded, retryAfterSeconds: 0))
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
        metrics.countStream(route: exchange.routeIndex, begins: false)
    }

    private func writeWindowIsTooSlow() -> Bool {
        // What the peer has acknowledged, not what the kernel has taken: a full send buffer hides a steady slow reader.
        let moved = channel.acknowledgedByteCount(on: loop) &- sentBytesAtWindow
        return moved == 0 || moved < min(configuration.writeBytesPerTimeoutMin, UInt64(channel.queuedByteCount))
    }

    func answerTimeout(_ status: Status, _ message: String) {
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
