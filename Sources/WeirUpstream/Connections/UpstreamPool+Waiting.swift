// SPDX-License-Identifier: Apache-2.0
// The requests that wait for a connection, in the order in which they came. On the loop's thread, but for `wake`.

import Synchronization
package import WeirEventLoop

extension UpstreamPool {
    /// - Parameter set: the endpoints that were full; nil while there are none.
    func wait(_ ask: inout Ask, for set: EndpointSet?, _ edition: UpstreamEdition) -> Lease {
        guard !ask.yields, state.pointee.waiting.count < policy.waitingMax else { return .full }
        upstream.setWaiting(self, true)
        // A place may have become free between the look at the counts and the note that somebody waits: looked at again,
        // once, and from now on whoever frees one tells.
        if let set, let connection = leased(from: set, &ask) {
            if state.pointee.waiting.isEmpty { noteNobodyWaits() }
            return .connection(connection)
        }
        let place = ask.place ?? state.pointee.lastPlace + 1
        state.pointee.lastPlace = max(place, state.pointee.lastPlace)
        let count = state.pointee.waiting.count
        // One that waits again has been at the front before: little is ahead of it.
        let index = ask.place == nil ? count : state.pointee.waiting.firstIndex { $0.place > place } ?? count
        state.pointee.waiting.insert(Waiter(taker: ask.taker, place: place, edition: edition), at: index)
        if ask.place == nil { upstream.reclaimIdle(for: self) }
        if ask.obstacles.contains(.short) { lookAgainSoon() }
        return .wait(place: place)
    }

    /// Takes back a request that waits.
    package func stopWaiting(_ taker: UpstreamEvents.Taker) {
        state.pointee.waiting.removeAll { $0.taker == taker }
        if state.pointee.waiting.isEmpty { noteNobodyWaits() }
    }

    func noteNobodyWaits() {
        upstream.setWaiting(self, false)
        if let timer = state.pointee.lookTimer { loop.cancel(timer) }
        state.pointee.isLookDue = false
    }

    /// How soon a process that could open no connection tries again.
    package static let lookAgainInterval: Nanoseconds = 20_000_000

    /// What a new connection lacks is freed where nobody tells this pool: by clients, files, other upstreams.
    private func lookAgainSoon() {
        guard !state.pointee.isLookDue else { return }
        state.pointee.isLookDue = true
        let timer = state.pointee.lookTimer ?? LoopTimer { [unowned self] _ in lookAgain() }
        state.pointee.lookTimer = timer
        loop.schedule(timer, at: loop.now &+ Self.lookAgainInterval)
    }

    private func lookAgain() {
        state.pointee.isLookDue = false
        // Also what could not be connected to since: nobody's connection may be left that would tell.
        noteRoom()
        serveWaiting()
        if !state.pointee.waiting.isEmpty { lookAgainSoon() }
    }

    var keepsConnections: Bool { state.pointee.keepsConnections }

    /// Requests that wait for a connection.
    package var waitingCount: Int { state.pointee.waiting.count }

    /// Lets those who wait try again, in the order in which they came. Any thread.
    func wake() {
        // Acquire and release, with the exchange below: who finds it woken has lowered a count that the loop will see.
        guard !isWoken.exchange(true, ordering: .acquiringAndReleasing) else { return }
        loop.submit { [self] _ in
            _ = isWoken.exchange(false, ordering: .acquiringAndReleasing)
            serveWaiting()
        }
    }

    func serveWaiting() {
        var index = 0
        while index < state.pointee.waiting.count {
            let waiter = state.pointee.waiting[index]
            if canServe(waiter) {
                state.pointee.waiting.remove(at: index)
                if state.pointee.waiting.isEmpty { noteNobodyWaits() }
                events.pointee.available(waiter.taker)
                guard index < state.pointee.waiting.count, state.pointee.waiting[index].place == waiter.place else {
                    continue
                }
            }
            // What this one did not get, those behind it do not get either, unless it waits for endpoints that are gone.
            if waiter.edition === state.pointee.edition { return }
            index += 1
        }
    }

    /// Whether to try for one who waits; that it is in vain is no harm.
    private func canServe(_ waiter: Waiter) -> Bool {
        // As `lease` goes by.
        let edition = waiter.edition.awaitsEndpoints ? state.pointee.edition : waiter.edition
        guard edition === state.pointee.edition else {
            let set = edition.endpointSet
            return set.endpoints.isEmpty
                || set.endpoints.contains { hasUnused($0) || $0.connectionCount < set.policy.connectionsMax }
        }
        let set = state.pointee.set
        let used = set.endpoints.indices.lazy.filter { set.isUsed($0) }
        // Without an endpoint nobody is to wait, unless there may be one in a moment.
        guard !used.isEmpty else { return !edition.awaitsEndpoints }
        return used.contains { hasUnused(set.endpoints[$0]) || hasPlace(set.endpoints[$0]) }
    }

    private func hasUnused(_ endpoint: Endpoint) -> Bool {
        hasSlot(endpoint) && state.pointee.newest[endpoint.slot] != nil
    }

    /// Whether an endpoint that was full has a place now. One that could not be connected to has places all the time:
    /// trying it for everybody who waits, whenever somebody is served, would keep the loop from its work.
    private func hasPlace(_ endpoint: Endpoint) -> Bool {
        state.pointee.wasFull[endpoint.slot] && endpoint.connectionCount < policy.connectionsMax
    }

    /// Closes unused connections to addresses that are the endpoint's no longer. Any thread.
    func closeMoved(_ endpoint: Endpoint) {
        loop.submit { [self] loop in
            guard hasSlot(endpoint) else { return }
            eachIdle(endpoint.slot) { if !$0.isAtEndpoint { loop.close($0.channel) } }
        }
    }

    /// Closes the oldest unused connection of each endpoint, because another loop needs the place. Any thread.
    func giveUpIdle() {
        loop.submit { [self] loop in
            for slot in state.pointee.newest.indices {
                var oldest: UpstreamConnection?
                eachIdle(slot) { oldest = $0 }
                if let oldest { loop.close(oldest.channel) }
            }
        }
    }
}
