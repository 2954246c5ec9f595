// SPDX-License-Identifier: Apache-2.0
// How a request gets a connection: an unused one of the endpoint that balancing chooses, or a new one. On the loop's thread.

import Glibc
package import WeirEventLoop
package import WeirHTTP

extension UpstreamPool {
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
    struct Ask {
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

    func leased(from set: EndpointSet, _ ask: inout Ask) -> Unmanaged<UpstreamConnection>? {
        guard let connection = find(in: set, &ask) else { return nil }
        connection._withUnsafeGuaranteedRef { $0.lease(to: ask.taker, method: ask.method, route: ask.route) }
        return connection
    }

    /// Why endpoints were passed over.
    struct Obstacles: OptionSet {
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
    func hasSlot(_ endpoint: Endpoint) -> Bool { state.pointee.set.contains(endpoint) }

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
        guard endpoint.url.scheme == .http || policy.tls != nil else {
            endpoint.handshakes?.note(.notSetUp)
            endpoint.note(.tls)
            endpoint.returnConnection()
            throw .there
        }
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
}
