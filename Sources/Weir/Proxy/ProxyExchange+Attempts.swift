// SPDX-License-Identifier: Apache-2.0
// The attempts of a request: one leases a connection, and where it fails there may be another. On the loop's thread.

import WeirEventLoop
import WeirHTTP
import WeirMetrics
import WeirUpstream

extension ProxyExchange {
    /// Leases a connection and writes the request to it, or answers that none can be had.
    func attempt(_ exchange: Exchange) {
        let lease = poolReference?._withUnsafeGuaranteedRef { pool in
            attempts.lease(
                from: pool,
                to: taker,
                method: exchange.parser.pointee.head.method,
                route: Int(exchange.routeIndex),
                key: key,
                left: exchange.timeLeft(at: loop.now),
                edition: edition
            )
        }
        switch lease {
        case nil:
            // It has ended meanwhile.
            break
        case .connection(let connection):
            leased = connection
            phase = .leased
            connection._withUnsafeGuaranteedRef { send(exchange, to: $0) }
        case .wait(let place):
            attempts.place = place
            phase = .waiting
        case .full:
            owner.metrics.recordRejection(.noEndpoint, route: exchange.routeIndex)
            refuse(.serviceUnavailable, "every endpoint is busy", .noEndpoint, retryAfter: true)
        case .unavailable:
            owner.metrics.recordRejection(.noEndpoint, route: exchange.routeIndex)
            let message = pool?.hasEndpoints == true ? "no endpoint takes requests now" : "no endpoint is known"
            refuse(.serviceUnavailable, message, .noEndpoint, retryAfter: true)
        case .late:
            owner.metrics.recordRejection(.deadlineUnmeetable, route: exchange.routeIndex)
            refuse(.gatewayTimeout, "no endpoint answers within what is left", .deadlineUnmeetable)
        case .failed(let fault):
            refuse(fault.status, fault.message, fault.reason)
        }
    }

    /// The connection has failed: another attempt, or what the client is told.
    func failed(_ upstream: UpstreamConnection, _ fault: UpstreamFault) {
        let wasTunnel = if case .tunnel = phase { true } else { false }
        leased = nil
        guard let connection = exchange.connection else { return end() }
        if case .responding = phase, loop.takeBackOutput(connection.channel, to: responseStart) {
            // Nothing of the response has gone out: the client can still be told what became of it.
            exchange.output = .pending
        }
        if exchange.output.isPending, let failure = upstream.attemptFailure(fault),
            let wait = waitAfter(failure, of: upstream.endpoint)
        {
            return attempt(exchange, after: wait)
        }
        end()
        if exchange.output.isPending {
            refuse(fault.status, fault.message, fault.reason)
        } else if wasTunnel {
            connection.endTunnel(exchange)
        } else {
            exchange.reason = fault.reason
            connection.breakOff()
        }
    }

    /// Sends the request again where the response's status is a cause to; otherwise it is passed on as it is.
    @inline(__always)
    func triesAgain(
        insteadOf head: ResponseHead,
        _ exchange: Exchange,
        _ upstream: UpstreamConnection,
        _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        guard let failure = upstream.attemptFailure(head, bytes, exchange.route?.retry),
            let wait = waitAfter(failure, of: upstream.endpoint)
        else { return false }
        upstream.discard()
        leased = nil
        attempt(exchange, after: wait)
        return true
    }

    /// How long to wait before the request is sent again; nil where that could carry it out twice, or there is no leave
    /// for it.
    private func waitAfter(_ failure: AttemptFailure, of endpoint: Endpoint) -> Nanoseconds? {
        guard let pool else { return nil }
        return attempts.waitAfter(
            failure,
            of: endpoint,
            in: pool,
            on: exchange.route,
            method: exchange.parser.pointee.head.method,
            isReplayable: !hasSentBody,
            left: exchange.timeLeft(at: loop.now)
        )
    }

    private func attempt(_ exchange: Exchange, after wait: Nanoseconds) {
        owner.metrics.increment(.upstreamRetries)
        guard wait > 0 else { return attempt(exchange) }
        phase = .backingOff
        // Kept for the next time: it may be what fires.
        let timer = retryTimer ?? LoopTimer { [unowned(unsafe) self] _ in attempt(self.exchange) }
        retryTimer = timer
        loop.schedule(timer, at: loop.now &+ wait)
    }

    /// Ends the request with an answer of the gateway's own.
    func refuse(_ status: Status, _ message: String, _ reason: AccessReason, retryAfter: Bool = false) {
        end()
        guard let connection = exchange.connection else { return }
        exchange.reason = reason
        let headers: Headers = retryAfter ? ["Retry-After": "1"] : Headers()
        let error = HTTPError(status, message, headers: headers)
        connection.respond(exchange, Problem.response(error, exchange: exchange, reason: "\(reason.name)"))
    }
}
