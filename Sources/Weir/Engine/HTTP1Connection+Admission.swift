// SPDX-License-Identifier: Apache-2.0
// Steps 5 and 6 of a request's life: its rate limits, and its place among those that run.

import WeirEventLoop
import WeirFlow
import WeirHTTP
import WeirMetrics

extension HTTP1Connection {
    /// Takes from the route's rate limits; false if one of them refused, and then the client has its answer, or if the
    /// store is asked, and then `resumeChecked` goes on.
    func passesLimits(_ exchange: Exchange, _ limits: RouteLimits) -> Bool {
        exchange.limitsReference = Unmanaged.passUnretained(limits)
        guard limits.areStored, let store = owner.store else {
            if limits.take(exchange, now: exchange.startedAt) == nil { return true }
            refuseLimited(exchange, limits)
            return false
        }
        switch store.check(exchange, limits) {
        case .answered(let answer):
            return passes(exchange, limits, answer)
        case .waiting(let ticket):
            exchange.slot = .checking
            exchange.storeTicket = ticket
            stopBodyClock()
            return false
        }
    }

    /// Does what the store said, or this replica's shares where it says nothing; false if the client has its answer.
    private func passes(_ exchange: Exchange, _ limits: RouteLimits, _ answer: StoreAnswer) -> Bool {
        let isAllowed =
            switch answer {
            case .allowed: true
            case .refused: false
            case .unavailable: limits.take(exchange, now: loop.now) == nil
            }
        if !isAllowed { refuseLimited(exchange, limits) }
        return isAllowed
    }

    /// The store has answered for a request that waited for it.
    func resumeChecked(_ exchange: Exchange, _ answer: StoreAnswer, _ decisions: UnsafePointer<LimitDecision>) {
        // Broken off in this turn, or at the loop's end: `closed` is still to be called.
        guard isAt(exchange), phase == .exchange, channel.isOpen, let route = exchange.route, let limits = route.limits
        else { return }
        exchange.limitDecisions.update(from: decisions, count: limits.count)
        resume(exchange) {
            if passes(exchange, limits, answer) { proceed(exchange, route) }
        }
    }

    private func refuseLimited(_ exchange: Exchange, _ limits: RouteLimits) {
        metrics.recordRejection(.rateLimited, route: exchange.routeIndex)
        exchange.reason = .rateLimited
        respondLimited(exchange, limits)
    }

    /// The limits whose fields stand in the answer.
    @inline(__always)
    func withLimitFields(of exchange: Exchange, _ body: (RouteLimits) -> Void) {
        exchange.limitsReference?._withUnsafeGuaranteedRef { if $0.writesFields { body($0) } }
    }

    /// Runs the request, has it wait, or refuses it.
    func admit(_ exchange: Exchange, _ route: Route) {
        guard let pool = route.poolReference, let share = route.shareReference else { return execute(exchange, route) }
        let priority = owner.readsPriority ? exchange.priority(of: route, isTrusted: isPeerTrusted) : route.priority
        switch pool._withUnsafeGuaranteedRef({ owner.enter(exchange, $0, share, priority) }) {
        case .admitted:
            execute(exchange, route)
        case .queued:
            exchange.isAnsweredAtOnce = false
            // What comes of the body stays where it is until somebody takes it.
            stopBodyClock()
            if !isReceiving { settle() }
        case .refused(let refusal):
            refuse(exchange, refusal)
        }
    }

    /// A place has come free for a request that waited.
    func resumeAdmitted(_ exchange: Exchange) {
        guard isAt(exchange), let route = exchange.route else { return owner.leave(exchange, now: loop.latest) }
        // Broken off in this turn: `closed` gives the place back.
        guard phase == .exchange else { return }
        resume(exchange) { execute(exchange, route) }
    }

    /// Has a request that waited go on, and its body with it.
    private func resume(_ exchange: Exchange, goOn: () -> Void) {
        if !exchange.input.isDone { resumeBodyClock() }
        goOn()
        if isAt(exchange) {
            if !exchange.input.isDone, channel.isPaused { channel.resume(on: loop) }
            settle()
        }
        loop.flush(channel)
    }

    /// Answers a request that may not run.
    func refuse(_ exchange: Exchange, _ refusal: AdmissionRefused) {
        metrics.recordRejection(RejectionReason(refusal.reason), route: exchange.routeIndex)
        exchange.reason = refusal.reason
        exchange.isAnsweredAtOnce = false
        if owner.endsConnectionOfRefusal() { isLast = true }
        respondRefusal(exchange, refusal)
    }
}

extension RejectionReason {
    /// What a refusal of admission counts as.
    fileprivate init(_ reason: AccessReason) {
        switch reason {
        case .memory: self = .memory
        case .descriptors: self = .descriptors
        case .degraded: self = .degraded
        case .deadlineUnmeetable: self = .deadlineUnmeetable
        case .deadlineExceeded: self = .deadlineExceeded
        default: self = .queueFull
        }
    }
}
