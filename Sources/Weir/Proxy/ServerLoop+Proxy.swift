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
    /// Passes a request on to its route's upstream, or to one of those among which its requests are divided.
    func forward(_ exchange: Exchange, by route: Route) {
        if let other = exchange.chosenUpstream(of: route) { return begin(exchange, other) }
        if let split = route.split { return begin(exchange, split.upstream(random())) }
        guard let upstream = route.upstreamReference else {
            preconditionFailure("a route that passes on to nowhere")
        }
        upstream._withUnsafeGuaranteedRef { begin(exchange, $0) }
    }

    /// The upstream has the same place in the route's snapshot as its pool has here, unless that snapshot is a former one.
    private func begin(_ exchange: Exchange, _ destination: RouteUpstream, adding fields: Headers? = nil) {
        if exchange.forwardsLeft == 0 {
            exchange.withConnection { $0.answerAsLast(exchange, on: exchange.route) }
            return
        }
        let index = destination.index
        let isPresent = index < pools.count && pools[index].upstream === destination.upstream
        let pool = Unmanaged.passUnretained(isPresent ? pools[index] : pool(of: destination.upstream))
        // The route keeps it, and the exchange the route.
        let edition = Unmanaged.passUnretained(destination.edition)
        // The loop keeps the pool.
        pool._withUnsafeGuaranteedRef { pool in
            exchange.withProxyHalf { $0.begin(pool, as: edition, adding: fields) }
        }
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
        let (upstreams, editions) = (snapshot.upstreams, snapshot.editions)
        clientPools.replace(upstreams, editions)
        mirrorPools.replace(upstreams, editions)
        if upstreams.count == pools.count, zip(upstreams, pools).allSatisfy({ $0 === $1.upstream }) {
            for (pool, edition) in zip(pools, editions) { pool.adopt(edition) }
            return formerPools.closeAndForgetQuiet()
        }
        let former = Dictionary(uniqueKeysWithValues: pools.map { (ObjectIdentifier($0.upstream), $0) })
        pools = zip(upstreams, editions).map { upstream, edition in
            guard let pool = former[ObjectIdentifier(upstream)] else {
                return UpstreamPool(upstream, as: edition, loop: loop, events: proxyEvents)
            }
            pool.adopt(edition)
            return pool
        }
        let present = Set(upstreams.map(ObjectIdentifier.init))
        formerPools += former.values.filter { !present.contains(ObjectIdentifier($0.upstream)) }
        formerPools.closeAndForgetQuiet()
        if server.isClosingIdle || isLeaving {
            for pool in pools { pool.close() }
        }
        if loop.index == 0, probeTimer == nil { beginProbing() }
    }

    /// Passes a request on that middleware let through; its fields are added to the response.
    func forward(_ exchange: Exchange, to reference: UpstreamReference, adding fields: Headers? = nil) {
        let destination = exchange.route.flatMap { route in
            exchange.chosenUpstream(of: route) ?? route.split?.upstream(random()) ?? route.upstream
        }
        guard let destination else {
            // The start has checked that each route's upstream is there.
            fail(exchange, HTTPError(.badGateway, "there is no such upstream"))
            return
        }
        guard exchange.bodyBytesIn == UInt64(exchange.parts.pointee.pieces.byteCount) else {
            // The head would go on with a length that nothing follows: the next request would be taken for the body.
            fail(exchange, UpstreamBodyTaken())
            return
        }
        begin(exchange, destination, adding: fields)
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
