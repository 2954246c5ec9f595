// SPDX-License-Identifier: Apache-2.0
// The copy of a request to its route's mirror: begun at once or not at all, and forgotten. On the loop's thread.

import WeirEventLoop
import WeirHTTP
import WeirUpstream

extension ProxyExchange {
    /// Makes the first attempt, and a copy for the mirror.
    @inline(never)
    func attempt(_ exchange: Exchange, copiedTo mirror: Unmanaged<RouteMirror>) {
        guard exchange.hasBody else {
            let sequence = exchange.sequence
            attempt(exchange)
            // What was refused at once is over, and the exchange perhaps another request's.
            guard !isIdle, exchange.sequence == sequence else { return }
            mirror._withUnsafeGuaranteedRef { begin(copyOf: exchange, to: $0)?.endRequest(headTimeout: left(exchange)) }
            return
        }
        // What has come of the body already goes out with the attempt, and is kept nowhere.
        copy = mirror._withUnsafeGuaranteedRef { begin(copyOf: exchange, to: $0) }
        attempt(exchange)
    }

    /// Sends the copy's head, if the mirror is to have one; the original learns nothing of it.
    private func begin(copyOf exchange: Exchange, to mirror: RouteMirror) -> MirrorCopy? {
        guard mirror.chooses(owner.random()), exchange.fieldValue(lowercaseName: RouteMirror.markName) == nil else {
            return nil
        }
        guard !exchange.parser.pointee.head.hasUpgrade, mirror.copiesBodies || !exchange.hasBody else {
            mirror.note(.notCopyable)
            return nil
        }
        guard let pool = owner.mirrorPools.pool(mirror.destination) else {
            mirror.note(.unavailable)
            return nil
        }
        guard mirror.begin() else {
            mirror.note(.busy)
            return nil
        }
        let copy = MirrorCopy(mirror, on: loop)
        switch lease(from: pool, to: copy.taker(), exchange) {
        case .connection(let connection):
            copy.begin(on: connection)
            connection._withUnsafeGuaranteedRef { writeHead(of: exchange, copiedTo: $0) }
            return copy
        // It waits for none.
        case .full, .wait: copy.isRefused(.busy)
        case .failed: copy.isRefused(.failed)
        case .late, .unavailable: copy.isRefused(.unavailable)
        }
        return nil
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

    private func writeHead(of exchange: Exchange, copiedTo connection: UpstreamConnection) {
        // The log names the original's span.
        let spanID = exchange.spanID
        if let version = connection.proxyProtocol {
            writeProxyHeader(version, of: exchange, to: connection)
        }
        writeHead(of: exchange, to: connection, isCopy: true)
        exchange.spanID = spanID
    }

    private func left(_ exchange: Exchange) -> Nanoseconds { exchange.timeLeft(at: loop.now) }

    // MARK: The body of a copy

    /// The request is whole, and so is its copy.
    func endCopy(_ exchange: Exchange) {
        guard let copy else { return }
        self.copy = nil
        if let connection = copy.connection, exchange.parser.pointee.head.isChunked {
            writeTrailers(of: exchange, to: connection)
        }
        copy.endRequest(headTimeout: left(exchange))
    }

    /// The original is over before its body is.
    func cutCopy() {
        guard let copy else { return }
        self.copy = nil
        copy.cut()
    }
}

extension Exchange {
    /// Whether there is more of the request than its head.
    fileprivate var hasBody: Bool {
        switch parser.pointee.head.framing {
        case .none, .length(0): false
        case .length, .chunked: true
        }
    }
}
