// SPDX-License-Identifier: Apache-2.0
// The copy of a request to its route's mirror: written at once or not at all, and forgotten. On the loop's thread.

import WeirEventLoop
import WeirHTTP
import WeirUpstream

extension ProxyExchange {
    /// Makes the first attempt, and then a copy for the mirror.
    @inline(never)
    func attempt(_ exchange: Exchange, copiedTo mirror: Unmanaged<RouteMirror>) {
        let sequence = exchange.sequence
        attempt(exchange)
        // What was refused at once is over, and the exchange perhaps another request's.
        guard !isIdle, exchange.sequence == sequence else { return }
        mirror._withUnsafeGuaranteedRef { copy(exchange, to: $0) }
    }

    /// Copies the request, if the mirror is to have it. It has been sent itself before, and learns nothing of the copy.
    private func copy(_ exchange: Exchange, to mirror: RouteMirror) {
        guard mirror.chooses(owner.random()), exchange.fieldValue(lowercaseName: RouteMirror.markName) == nil else {
            return
        }
        guard exchange.isCopyable else { return mirror.note(.notCopyable) }
        guard let pool = owner.mirrorPools.pool(mirror.destination) else { return mirror.note(.unavailable) }
        guard mirror.begin() else { return mirror.note(.busy) }
        let taker = mirror.taker()
        let lease = lease(from: pool, to: taker, exchange)
        if case .connection(let connection) = lease {
            return send(exchange, copiedTo: connection.takeUnretainedValue())
        }
        Unmanaged<RouteMirror>.fromOpaque(taker).release()
        switch lease {
        // It waits for none.
        case .full, .wait: mirror.end(.busy)
        case .failed: mirror.end(.failed)
        case .connection, .late, .unavailable: mirror.end(.unavailable)
        }
    }

    private func lease(
        from pool: UpstreamPool,
        to taker: UpstreamEvents.Taker,
        _ exchange: Exchange
    ) -> UpstreamPool.Lease {
        while true {
            let lease = pool.lease(
                to: taker,
                method: exchange.parser.pointee.head.method,
                route: Int(exchange.routeIndex),
                key: pool.keySource.map { exchange.balancingKey($0) } ?? 0,
                yields: true
            )
            // A copy is sent once, so it is not risked on a connection that has ended.
            guard case .connection(let reference) = lease, reference.takeUnretainedValue().cancelIfStale() else {
                return lease
            }
        }
    }

    private func send(_ exchange: Exchange, copiedTo connection: UpstreamConnection) {
        // The log names the original's trace.
        let (traceHigh, traceLow, spanID) = (exchange.traceHigh, exchange.traceLow, exchange.spanID)
        if let version = connection.proxyProtocol {
            writeProxyHeader(version, of: exchange, to: connection)
        }
        writeHead(of: exchange, to: connection, isCopy: true)
        (exchange.traceHigh, exchange.traceLow, exchange.spanID) = (traceHigh, traceLow, spanID)
        connection.endRequest(headTimeout: exchange.timeLeft(at: loop.now))
        loop.flush(connection.channel)
    }
}

extension Exchange {
    /// Whether the head is all there is of the request.
    fileprivate var isCopyable: Bool {
        let head = parser.pointee.head
        return switch head.framing {
        case .none, .length(0): !head.hasUpgrade
        case .length, .chunked: false
        }
    }
}
