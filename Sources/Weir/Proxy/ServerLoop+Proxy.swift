// SPDX-License-Identifier: Apache-2.0
// Where a loop's requests find their upstream.

import Synchronization
import WeirEventLoop
import WeirUpstream

/// Middleware has read from the body of a request that it then let go on to an upstream.
struct UpstreamBodyTaken: Error, CustomStringConvertible {
    var description: String { "middleware has read the body of a request that is passed on to an upstream" }
}

extension ServerLoop {
    /// Passes a request on to its route's upstream, which has the same place in the route's snapshot as its pool has in
    /// the present one, unless that is another.
    func forward(_ exchange: Exchange, by route: Route) {
        if let other = route.otherUpstream(for: exchange) {
            return exchange.withProxyHalf { $0.begin(pool(of: other)) }
        }
        let index = route.upstreamIndex
        if let split = route.split {
            let upstream = split.upstream(random())
            return exchange.withProxyHalf { $0.begin(pool(of: upstream)) }
        }
        if index < pools.count, pools[index].upstream === route.upstream {
            return exchange.withProxyHalf { $0.begin(pools[index]) }
        }
        guard let upstream = route.upstream else { preconditionFailure("a route that passes on to nowhere") }
        exchange.withProxyHalf { $0.begin(pool(of: upstream)) }
    }

    /// The pool of an upstream that the present snapshot may no longer know.
    private func pool(of upstream: Upstream) -> UpstreamPool {
        if let pool = pools.first(where: { $0.upstream === upstream }) { return pool }
        if let pool = formerPools.first(where: { $0.upstream === upstream }) { return pool }
        let pool = UpstreamPool(upstream, loop: loop, events: proxyEvents)
        pool.close()
        formerPools.append(pool)
        return pool
    }

    /// Has a pool for each upstream of the present snapshot. Those of others go on until their requests have ended.
    func takeOverUpstreams() {
        let upstreams = snapshot.upstreams
        if upstreams.count == pools.count, zip(upstreams, pools).allSatisfy({ $0 === $1.upstream }) {
            return formerPools.closeAndForgetQuiet()
        }
        let former = pools
        pools = upstreams.map { upstream in
            former.first { $0.upstream === upstream } ?? UpstreamPool(upstream, loop: loop, events: proxyEvents)
        }
        formerPools += former.filter { pool in !pools.contains { $0 === pool } }
        formerPools.closeAndForgetQuiet()
        clientPools.replace(upstreams)
        if server.isClosingIdle {
            for pool in pools { pool.close() }
        }
        if loop.index == 0, probeTimer == nil { beginProbing() }
    }

    /// Passes a request on that middleware let through; its fields are added to the response.
    func forward(_ exchange: Exchange, to reference: UpstreamReference, adding fields: Headers? = nil) {
        let known =
            exchange.route.flatMap { $0.otherUpstream(for: exchange) ?? $0.upstream }
            ?? pools.first { $0.upstream.name == reference.name }?.upstream
        guard let upstream = known else {
            // The start has checked that each route's upstream is there.
            fail(exchange, HTTPError(.badGateway, "there is no such upstream"))
            return
        }
        guard exchange.bodyBytesIn == UInt64(exchange.parts.pointee.pieces.byteCount) else {
            // The head would go on with a length that nothing follows: the next request would be taken for the body.
            fail(exchange, UpstreamBodyTaken())
            return
        }
        exchange.withProxyHalf { $0.begin(pool(of: upstream), adding: fields) }
    }

    /// Connects to the upstreams' endpoints until one of each has answered: a gateway that nobody asks yet must learn
    /// whether it can serve.
    func beginProbing() {
        probeTimer = nil
        guard !pools.isEmpty, !server.isDraining else { return }
        var isDone = true
        for pool in pools where pool.upstream.policy.gatesReadiness && !pool.upstream.hasAnswered {
            isDone = false
            pool.probe()
        }
        if !isDone { probeAgain(after: Self.probeNanoseconds) }
    }

    private static let probeNanoseconds: Nanoseconds = 250_000_000

    private func probeAgain(after wait: Nanoseconds) {
        let timer = LoopTimer { [unowned(unsafe) self] _ in beginProbing() }
        probeTimer = timer
        loop.schedule(timer, at: loop.now &+ wait)
    }

    /// The endpoint's number in the access log; -1 without one.
    func endpointName(_ connection: UpstreamConnection) -> Int16 {
        guard let log = server.accessLog else { return -1 }
        let known = connection.endpoint.logIndex.load(ordering: .relaxed)
        if known > -2 { return Int16(clamping: known) }
        let index = log.endpoints.index(of: connection.endpoint.name)
        connection.endpoint.logIndex.store(index, ordering: .relaxed)
        return Int16(clamping: index)
    }
}
