// SPDX-License-Identifier: Apache-2.0
// What a route of a snapshot has of its guard: whether to degrade, and how. Immutable; any loop.

import WeirEventLoop
import WeirFlow
import WeirUpstream

/// A route's guard, and what its requests have less while that finds it degraded.
final class RouteWatch: Sendable {
    let routeGuard: RouteGuard
    private let shedsSheddable: Bool
    /// `.max` for the route's own.
    private let deadlineNanoseconds: Nanoseconds
    /// Nil for the route's own.
    let upstream: RouteUpstream?
    /// The least time in which a route that has just been found degraded is back.
    private let retryAfterSeconds: Int

    init(_ routeGuard: RouteGuard, _ configuration: GuardConfiguration, _ upstreams: [RouteUpstream]) {
        let degradation = configuration.degradation
        self.routeGuard = routeGuard
        shedsSheddable = degradation.shedsSheddable
        deadlineNanoseconds = degradation.deadline?.nanosecondsClamped ?? .max
        upstream = degradation.upstream.flatMap { name in upstreams.first { $0.upstream.name == name } }
        retryAfterSeconds = Int((configuration.window * configuration.windows).components.seconds) + 1
    }

    /// Turns a request of a degraded route away, if it is one of those.
    func refusal(_ priority: WeirFlow.Priority) -> AdmissionRefused? {
        guard shedsSheddable, priority == .sheddable else { return nil }
        return AdmissionRefused(reason: .degraded, retryAfterSeconds: retryAfterSeconds)
    }

    /// Has a request of a degraded route have less; false where it has what it always has.
    func lessen(_ exchange: Exchange) -> Bool {
        guard upstream != nil || deadlineNanoseconds != .max else { return false }
        exchange.budget = min(exchange.budget, deadlineNanoseconds)
        exchange.deadline = exchange.startedAt &+ exchange.budget
        return true
    }
}

extension GuardPolicy {
    init(_ configuration: GuardConfiguration) {
        self.init(
            window: configuration.window.nanosecondsClamped,
            windows: configuration.windows,
            ratio: configuration.factor
        )
    }
}
