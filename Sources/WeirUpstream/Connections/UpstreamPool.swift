// SPDX-License-Identifier: Apache-2.0
// One loop's connections to one upstream: unused ones, newest first, and the requests that wait for one.

import Glibc
import Synchronization
package import WeirEventLoop
package import WeirHTTP

/// `@unchecked Sendable`: confined to its loop's thread, but for `wake`, `refresh` and `giveUpIdle`.
package final class UpstreamPool: @unchecked Sendable {
    /// What comes of asking for a connection.
    package enum Lease {
        /// Write the request to it. Its channel keeps it, at least to the end of the loop's turn: handed over without
        /// counting references.
        case connection(Unmanaged<UpstreamConnection>)
        /// Every endpoint has as many connections as it may, this process can open none for now, or which endpoints there
        /// are is not known yet; `available` is called when one can be had. The place in the queue is the request's for
        /// good: it stands there again if it has to wait again.
        case wait(place: UInt64)
        /// No endpoint can be reached, and none is worth trying again now.
        case failed(UpstreamFault)
        /// Too many wait already, or it yields to others.
        case full
        /// No endpoint is expected to answer within what is left.
        case late
        /// There is no endpoint, or each is left alone for now.
        case unavailable
    }

    package let upstream: Upstream
    /// Requests of this loop wait; see `Upstream.setWaiting`.
    let isWaiting = Atomic<Bool>(false)
    /// The loop has been told to serve those who wait, and has not begun to.
    private let isWoken = Atomic<Bool>(false)
    package let loop: EventLoop
    let events: UnsafePointer<UpstreamEvents>
    let channelEvents: UnsafeMutablePointer<ChannelEvents>
    /// What changes, behind a pointer: a field of a class pays a run-time exclusivity check where it is passed inout.
    private let state: UnsafeMutablePointer<State>

    private struct State {
        /// That of the snapshot by which this loop routes.
        var edition: UpstreamEdition
        /// The endpoints that this loop chooses from.
        var set: EndpointSet
        /// Unused connections by their endpoint's slot: a list from the newest to the oldest. Their channels keep them.
        var newest: [Unmanaged<UpstreamConnection>?]
        /// Connections that are open or being made.
        var connectionCount = 0
        /// By place, the least first.
        var waiting: [Waiter] = []
        /// The place that was given last.
        var lastPlace: UInt64 = 0
        /// By slot, while somebody waits: whether it had no place for one more connection, rather than that it could
        /// not be connected to. Whoever waits, waits for these.
        var wasFull: [Bool]
        /// Looks again after a connection that could not be opened from here; armed while `isLookDue`, which takes somebody
        /// who waits.
        var lookTimer: LoopTimer?
        var isLookDue = false
        /// False from the drain on, or while the loop takes no connections: what has served its request is closed.
        var keepsConnections = true
        var random = WyRand()

        init(_ edition: UpstreamEdition) {
            let set = edition.endpointSet
            self.edition = edition
            self.set = set
            newest = Array(repeating: nil, count: set.slotCount)
            wasFull = Array(repeating: false, count: set.slotCount)
        }
    }

    /// A request that waits for a connection.
    private struct Waiter {
        let taker: UpstreamEvents.Taker
        let place: UInt64
        /// Of the configuration that it began with.
        let edition: UpstreamEdition
    }

    /// - Parameters:
    ///   - edition: that of the snapshot by which the loop routes; nil for the one in force.
    ///   - events: what takers are told by; kept alive by the caller as long as the pool is used.
    package init(
        _ upstream: Upstream,
        as edition: UpstreamEdition? = nil,
        loop: EventLoop,
        events: UnsafePointer<UpstreamEvents>
    ) {
        self.upstream = upstream
        self.loop = loop
        self.events = events
        state = .allocate(capacity: 1)
        state.initialize(to: State(edition ?? upstream.edition))
        channelEvents = .allocate(capacity: 1)
        channelEvents.initialize(to: UpstreamConnection.events)
        upstream.register(self)
    }

    deinit {
        channelEvents.deinitialize(count: 1)
        channelEvents.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    var policy: UpstreamPolicy { state.pointee.set.policy }

    /// What a request's key is made of; nil where nothing is chosen by it.
    package var keySource: BalancingKeySource? {
        if case .maglev = state.pointee.set.policy.balancing { state.pointee.set.policy.key } else { nil }
    }

    // MARK: The endpoints

    /// Has the loop take over the endpoints as they are now. Any thread.
    func refresh() {
        loop.submit { [self] _ in
            takeOver()
            // New endpoints have places.
            serveWaiting()
        }
    }

    /// The loop routes by another snapshot from now on: requests begin with what it says of the upstream.
    package func adopt(_ edition: UpstreamEdition) {
        guard edition !== state.pointee.edition else { return }
        state.pointee.edition = edition
        takeOver()
        serveWaiting()
    }

    /// Takes the present endpoints over, and closes unused connections to those that are gone. Nothing is leased before
    /// that: a slot may be another endpoint's now.
    private func takeOver() {
        let set = state.pointee.edition.endpointSet
        let former = state.pointee.set
        guard set !== former else { return }
        // Those that begin with another header are unused, too, where they were opened to learn whether somebody answers.
        let beginsAlike = set.policy.proxyProtocol == former.policy.proxyProtocol
        for endpoint in former.endpoints where !beginsAlike || !set.contains(endpoint) {
            eachIdle(endpoint.slot) { loop.close($0.channel) }
        }
        state.pointee.set = set
        let missing = set.slotCount - state.pointee.newest.count
        if missing > 0 {
            state.pointee.newest.append(contentsOf: repeatElement(nil, count: missing))
            state.pointee.wasFull.append(contentsOf: repeatElement(false, count: missing))
        }
        noteRoom()
    }

    /// Has those who wait try every endpoint that may have one more connection.
    private func noteRoom() {
        let set = state.pointee.set
        for (place, endpoint) in set.endpoints.enumerated()
        where set.isUsed(place) && endpoint.connectionCount < set.policy.connectionsMax {
            state.pointee.wasFull[endpoint.slot] = true
        }
    }

    /// Whether there is an endpoint, of whatever health.
    package var hasEndpoints: Bool { !state.pointee.set.endpoints.isEmpty }

    // MARK: Leasing

    /// A connection for one request: an unused one of the endpoint that balancing chooses, or a new one.
    ///
    /// - Parameters:
    ///   - route: the index of the route that asks.
    ///   - tried: the slots of endpoints that this request has been to in vain; others come first.
    ///   - key: what `maglev` chooses by; the others don't ask for it.
    ///   - place: where it stood in the queue, if it has waited before.
    ///   - left: how long the request has for its answer; endpoints that have taken longer of late for this route are
    ///     passed over.
    ///   - edition: that of the snapshot which the request began with, and which it keeps; nil for the loop's.
    ///   - yields: whether the others come first: it gets no connection while some wait, waits itself for none, and has one
    ///     opened only where the endpoint has less than half of those that it may have.
    package func lease(
        to taker: UpstreamEvents.Taker,
        method: HTTPMethod,
        route: Int,
        tried: TriedEndpoints = TriedEndpoints(),
        key: UInt64 = 0,
        place: UInt64? = nil,
        left: Nanoseconds = .max,
        edition: Unmanaged<UpstreamEdition>? = nil,
        yields: Bool = false
    ) -> Lease {
        if yields, upstream.hasWaiting { return .full }
        var ask = Ask(
            taker: taker,
            method: method,
            route: route,
            tried: tried,
            key: key,
            place: place,
            left: left,
            yields: yields
        )
        if let edition, edition.toOpaque() != Unmanaged.passUnretained(state.pointee.edition).toOpaque() {
            let former = edition.takeUnretainedValue()
            // Under one that never knew an endpoint nothing was chosen: the present one serves as well.
            if !former.awaitsEndpoints { return lease(&ask, from: former.endpointSet, former) }
        }
        // Before the version: where it is over, the list that has ended it is found.
        if state.pointee.set.endpoints.isEmpty, state.pointee.edition.awaitsEndpoints, !yields {
            return wait(&ask, for: nil, state.pointee.edition)
        }
        if state.pointee.edition.publishedVersion != state.pointee.set.version { takeOver() }
        // Nothing below takes another set over.
        return Unmanaged.passUnretained(state.pointee.set)._withUnsafeGuaranteedRef { set in
            Unmanaged.passUnretained(state.pointee.edition)._withUnsafeGuaranteedRef { edition in
                lease(&ask, from: set, edition)
            }
        }
    }

    /// What a request asks for, and what was in its way.
    private struct Ask {
        let taker: UpstreamEvents.Taker
        let method: HTTPMethod
        let route: Int
        let tried: TriedEndpoints
        let key: UInt64
        let place: UInt64?
        let left: Nanoseconds
        let yields: Bool
        var obstacles = Obstacles()
    }

    private func lease(_ ask: inout Ask, from set: EndpointSet, _ edition: UpstreamEdition) -> Lease {
        if let connection = leased(from: set, &ask) { return .connection(connection) }
        if ask.obstacles.contains(.busy) { return wait(&ask, for: set, edition) }
        if ask.obstacles.contains(.unreachable) { return .failed(.connect) }
        return ask.obstacles.contains(.late) ? .late : .unavailable
    }

    private func leased(from set: EndpointSet, _ ask: inout Ask) -> Unmanaged<UpstreamConnection>? {
        guard let connection = find(in: set, &ask) else { return nil }
        connection._withUnsafeGuaranteedRef { $0.lease(to: ask.taker, method: ask.method, route: ask.route) }
        return connection
    }

    /// Why endpoints were passed over.
    private struct Obstacles: OptionSet {
        let rawValue: UInt8
        static let late = Obstacles(rawValue: 1)
        static let busy = Obstacles(rawValue: 2)
        static let unreachable = Obstacles(rawValue: 4)
        /// This process could not open a connection.
        static let short = Obstacles(rawValue: 8)
    }

    private func find(in set: EndpointSet, _ ask: inout Ask) -> Unmanaged<UpstreamConnection>? {
        var tried = ask.tried.isEmpty ? TriedEndpoints() : set.places(of: ask.tried)
        if !ask.tried.isEmpty, pick(set, tried, ask.key) == nil {
            // It has been to all of them: once more, then.
            tried = TriedEndpoints()
        }
        for _ in 0..<TriedEndpoints.countMax {
            guard let place = pick(set, tried, ask.key) else { return nil }
            // The set keeps it.
            let endpoint = Unmanaged.passUnretained(set.endpoints[place])
            if let connection = endpoint._withUnsafeGuaranteedRef({ take($0, set, &ask) }) { return connection }
            tried.insert(place)
        }
        // None of so many could take it: whichever can.
        for place in set.endpoints.indices where set.isUsed(place) && !tried.contains(place) {
            if let connection = take(set.endpoints[place], set, &ask) { return connection }
        }
        return nil
    }

    private func pick(_ set: EndpointSet, _ tried: TriedEndpoints, _ key: UInt64) -> Int? {
        set.table.pick(excluding: tried, key: key, at: loop.now, random: &state.pointee.random)
    }

    /// A connection to this endpoint, unless something is in the way.
    private func take(_ endpoint: Endpoint, _ set: EndpointSet, _ ask: inout Ask) -> Unmanaged<UpstreamConnection>? {
        guard endpoint.responseTimes.admits(ask.left, route: ask.route, at: loop.now) else {
            ask.obstacles.insert(.late)
            noteFull(endpoint, false)
            return nil
        }
        let permit = set.policy.circuit.map { endpoint.circuit.admit(at: loop.now, $0) } ?? .request
        guard permit != .refused else {
            noteFull(endpoint, false)
            return nil
        }
        if let connection = unused(endpoint) {
            connection._withUnsafeGuaranteedRef { $0.permit = permit }
            return connection
        }
        let connectionsMax = ask.yields ? max(1, set.policy.connectionsMax / 2) : set.policy.connectionsMax
        guard endpoint.reserveConnection(max: connectionsMax) else {
            endpoint.circuit.abandoned(permit)
            ask.obstacles.insert(.busy)
            noteFull(endpoint, true)
            return nil
        }
        do throws(ConnectFault) {
            let connection = try connect(endpoint, set.policy)
            connection.permit = permit
            return Unmanaged.passUnretained(connection)
        } catch {
            switch error {
            case .there:
                noteFailure(of: endpoint, permit, after: 0)
                ask.obstacles.insert(.unreachable)
                noteFull(endpoint, false)
            case .here:
                // As if it were full: another request's connection serves this one, or one that can be opened soon.
                endpoint.circuit.abandoned(permit)
                ask.obstacles.formUnion([.busy, .short])
                noteFull(endpoint, true)
            }
            return nil
        }
    }

    /// Whether the endpoint has its slot here: one of a former edition may be gone, and the slot another's.
    private func hasSlot(_ endpoint: Endpoint) -> Bool { state.pointee.set.contains(endpoint) }

    private func unused(_ endpoint: Endpoint) -> Unmanaged<UpstreamConnection>? {
        guard hasSlot(endpoint) else { return nil }
        while let reference = state.pointee.newest[endpoint.slot] {
            let isUsable = reference._withUnsafeGuaranteedRef { connection in
                unlink(connection)
                return connection.channel.isOpen && !connection.channel.isEnded
            }
            if isUsable { return reference }
        }
        return nil
    }

    private func noteFull(_ endpoint: Endpoint, _ wasFull: Bool) {
        if hasSlot(endpoint) { state.pointee.wasFull[endpoint.slot] = wasFull }
    }

    /// On whose side it is that a connection cannot even be begun.
    private enum ConnectFault: Error {
        case here, there

        init(_ error: SystemCallError) {
            switch error.errno {
            // No descriptor, no port, no memory: that says nothing of the endpoint.
            case EMFILE, ENFILE, EADDRNOTAVAIL, ENOBUFS, ENOMEM: self = .here
            default: self = .there
            }
        }
    }

    /// Begins a connection in a place that was reserved, which is free again if there is no way to.
    private func connect(_ endpoint: Endpoint, _ policy: UpstreamPolicy) throws(ConnectFault) -> UpstreamConnection {
        guard let address = endpoint.addressInTurn() else {
            endpoint.note(.connect)
            endpoint.returnConnection()
            throw .there
        }
        let connection = UpstreamConnection(pool: self, endpoint: endpoint, at: address, policy)
        do throws(SystemCallError) {
            try loop.connect(to: address) { _, channel, _ in
                connection.open(channel)
                return UnsafePointer(connection.pool.channelEvents)
            }
        } catch {
            let fault = ConnectFault(error)
            if fault == .there { endpoint.note(.connect) }
            endpoint.returnConnection()
            throw fault
        }
        state.pointee.connectionCount += 1
        return connection
    }

    /// How long to wait before a request that failed is sent again; nil where it is not to be.
    package func wait(
        before policy: RetryPolicy,
        budget: RetryBudget.Policy,
        after attempt: FailedAttempt
    ) -> Nanoseconds? {
        guard attempt.hasOther || attempt.failure.allowsSameEndpoint else { return nil }
        let decision = policy.decision(attempt, using: &state.pointee.random)
        guard case .retry(let wait, let asksBudget) = decision else { return nil }
        guard !asksBudget || upstream.retryBudget.takeRetry(at: loop.now, budget) else { return nil }
        return wait
    }

    /// An endpoint could not be connected to, or broke off before its response.
    func noteFailure(of endpoint: Endpoint, _ permit: CircuitPermit?, after time: Nanoseconds) {
        endpoint.noteConnectFailure(
            permit,
            policy.circuit,
            after: time,
            at: loop.now,
            using: &state.pointee.random
        )
    }

    /// Opens a connection to each endpoint that has none yet, to learn whether it answers; kept for the first request.
    package func probe() {
        takeOver()
        for endpoint in state.pointee.set.endpoints
        where endpoint.connectionCount == 0 && endpoint.reserveConnection(max: policy.connectionsMax) {
            _ = try? connect(endpoint, policy)
        }
    }

    // MARK: Keeping

    /// Takes a connection that has served its request, or was opened for none.
    func give(_ connection: UpstreamConnection) {
        guard state.pointee.keepsConnections, hasSlot(connection.endpoint), connection.isAtEndpoint else {
            return loop.close(connection.channel)
        }
        if upstream.hasWaiting, state.pointee.waiting.isEmpty {
            // Others wait for the place that it takes.
            return loop.close(connection.channel)
        }
        // What came behind the response must not wait here for the next request.
        guard connection.channel.isDrained(on: loop) else { return loop.close(connection.channel) }
        connection.channel.setIdle(since: loop.now)
        connection.channel.setDeadline(loop.now &+ policy.idleTimeout, on: loop)
        link(connection)
        if !state.pointee.waiting.isEmpty { serveWaiting() }
    }

    /// A connection is gone: its place is free.
    func remove(_ connection: UpstreamConnection) {
        unlink(connection)
        state.pointee.connectionCount -= 1
        connection.endpoint.returnConnection()
        upstream.wakeWaiting()
    }

    /// Whether nothing is left of it: no connection in use, and nobody who waits. Of a pool that was closed.
    package var isQuiet: Bool { state.pointee.connectionCount == 0 && state.pointee.waiting.isEmpty }

    /// Closes what is unused, and from now on what has served its request.
    package func close() {
        state.pointee.keepsConnections = false
        for slot in state.pointee.newest.indices { eachIdle(slot) { loop.close($0.channel) } }
    }

    /// Keeps again what has served its request.
    package func reopen() { state.pointee.keepsConnections = true }

    /// The loop has ended: nothing is left.
    package func end() {
        for slot in state.pointee.newest.indices { state.pointee.newest[slot] = nil }
        state.pointee.waiting = []
        noteNobodyWaits()
        upstream.forget(self)
    }

    private func link(_ connection: UpstreamConnection) {
        let slot = connection.endpoint.slot
        let older = state.pointee.newest[slot]
        let reference = Unmanaged.passUnretained(connection)
        connection.state.pointee.isIdle = true
        connection.state.pointee.newer = nil
        connection.state.pointee.older = older
        older?._withUnsafeGuaranteedRef { $0.state.pointee.newer = reference }
        state.pointee.newest[slot] = reference
    }

    private func unlink(_ connection: UpstreamConnection) {
        guard connection.state.pointee.isIdle else { return }
        let (newer, older) = (connection.state.pointee.newer, connection.state.pointee.older)
        connection.state.pointee.isIdle = false
        connection.state.pointee.newer = nil
        connection.state.pointee.older = nil
        older?._withUnsafeGuaranteedRef { $0.state.pointee.newer = newer }
        if let newer {
            newer._withUnsafeGuaranteedRef { $0.state.pointee.older = older }
        } else {
            state.pointee.newest[connection.endpoint.slot] = older
        }
    }

    /// Calls `body` with each unused connection of an endpoint, the newest first.
    private func eachIdle(_ slot: Int, _ body: (UpstreamConnection) -> Void) {
        var next = state.pointee.newest[slot]
        while let reference = next {
            let connection = reference.takeUnretainedValue()
            next = connection.state.pointee.older
            body(connection)
        }
    }

    // MARK: Waiting

    /// - Parameter set: the endpoints that were full; nil while there are none.
    private func wait(_ ask: inout Ask, for set: EndpointSet?, _ edition: UpstreamEdition) -> Lease {
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

    private func noteNobodyWaits() {
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

    private func serveWaiting() {
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
