// SPDX-License-Identifier: Apache-2.0
// A request of a route with a guard: what it has less while the route is degraded, and how long it took. On the loop's
// thread.

import WeirEventLoop
import WeirFlow
import WeirUpstream

extension HTTP1Connection {
    /// Has a request of a degraded route have less; false if it was turned away, and then it has its answer.
    func passesGuard(_ exchange: Exchange, _ route: Route, _ watch: RouteWatch) -> Bool {
        exchange.isDegraded = false
        exchange.waitsSince = 0
        exchange.wholeAt = exchange.startedAt
        exchange.answeredAt = 0
        guard watch.routeGuard.degrades({ owner.random() }) else { return true }
        let priority = owner.readsPriority ? exchange.priority(of: route, isTrusted: isPeerTrusted) : route.priority
        if let refusal = watch.refusal(priority) {
            refuse(exchange, refusal)
            return false
        }
        exchange.isDegraded = watch.lessen(exchange)
        return true
    }
}

extension Route {
    /// The other upstream of a request while the route is degraded; nil for the route's own.
    @inline(__always)
    func otherUpstream(for exchange: Exchange) -> RouteUpstream? {
        guard let watchReference, exchange.isDegraded else { return nil }
        return watchReference._withUnsafeGuaranteedRef { $0.upstream }
    }
}

extension ServerLoop {
    /// Counts a request of a route with a guard that is over.
    ///
    /// Only what was served as ever tells whether the route would be well without the degradation: a request with less is
    /// not counted.
    func measure(_ exchange: Exchange, of route: Route, _ watch: RouteWatch, now: Nanoseconds) {
        guard !exchange.isDegraded, let latency = latency(of: exchange, route, now: now) else { return }
        watch.routeGuard.record(loop: loop.index, latency: latency, queue: waited(exchange, now: now))
    }

    /// From the end of a request to its answer, at most the route's deadline. Nil where it says nothing of how fast the
    /// route is: it was turned away here, or has not come whole, which is the client's doing.
    private func latency(of exchange: Exchange, _ route: Route, now: Nanoseconds) -> Nanoseconds? {
        guard exchange.input.isDone else { return nil }
        switch exchange.reason {
        case .rateLimited, .queueFull, .deadlineUnmeetable, .memory, .descriptors, .degraded, .tunnels:
            return nil
        case .deadlineExceeded where exchange.budget == 0:
            return nil
        case .noEndpoint, .upstreamConnect, .upstreamTLS, .upstreamConnectTimeout, .upstreamReset, .upstreamClosed,
            .upstreamMalformed, .upstreamTimeout, .upstreamAttemptTimeout:
            // Endpoints that fail fast are not well.
            return route.deadlineNanoseconds
        case .none where exchange.status == 101:
            return nil
        case .none where (502...504).contains(exchange.status):
            return route.deadlineNanoseconds
        case .none, .aborted, .deadlineExceeded:
            let answeredAt = exchange.answeredAt == 0 ? now : exchange.answeredAt
            // An answer may come before the request is whole.
            return min(max(answeredAt, exchange.wholeAt) &- exchange.wholeAt, route.deadlineNanoseconds)
        }
    }

    /// How long it was in the queue.
    private func waited(_ exchange: Exchange, now: Nanoseconds) -> Nanoseconds {
        let since = exchange.waitsSince
        if since == 0 { return 0 }
        // What executed before it waited was another request.
        return (exchange.executesSince >= since ? exchange.executesSince : now) &- since
    }
}
