// SPDX-License-Identifier: Apache-2.0
// One loop's connections to one upstream: unused ones, newest first, and the requests that wait for one.

import Synchronization
package import WeirEventLoop
package import WeirHTTP

/// `@unchecked Sendable`: confined to its loop's thread, but for `wake`, `refresh` and `giveUpIdle`.
package final class UpstreamPool: @unchecked Sendable {
    /// What comes of asking for a connection.
    package enum Lease {
        /// Write the request to it.
        case connection(UpstreamConnection)
        /// Every endpoint has as many connections as it may; `available` is called when one can be had. The place in the
        /// queue is the request's for good: it stands there again if it has to wait again.
        case wait(place: UInt64)
        /// No endpoint can be reached, and none is worth trying again now.
        case failed(UpstreamFault)
        /// Too many wait already.
        case full
        /// No endpoint is expected to answer within what is left.
        case late
    }

    package let upstream: Upstream
    /// Requests of this loop wait; see `Upstream.setWaiting`.
    let isWaiting = Atomic<Bool>(false)
    package let loop: EventLoop
    let events: UnsafePointer<UpstreamEvents>
    let channelEvents: UnsafeMutablePointer<ChannelEvents>
    /// What changes, behind a pointer: a field of a class pays a run-time exclusivity check where it is passed inout.
    private let state: UnsafeMutablePointer<State>

    private struct State {
        /// The endpoints that this loop chooses from.
        var set: EndpointSet
        /// Unused connections by their endpoint's slot: a list from the newest to the oldest. Their channels keep them.
        var newest: [Unmanaged<UpstreamConnection>?]
        /// Connections that are open or being made.
        var connectionCount = 0
        /// By place, the least first.
        var waiting: [(taker: UpstreamEvents.Taker, place: UInt64)] = []
        /// The place that was given last.
        var lastPlace: UInt64 = 0
        /// By slot, while somebody waits: whether it had no place for one more connection, rather than that it could
        /// not be connected to. Whoever waits, waits for these.
        var wasFull: [Bool]
        /// False from the drain on: what has served its request is closed.
        var keepsConnections = true

        init(_ set: EndpointSet) {
            self.set = set
            newest = Array(repeating: nil, count: set.slotCount)
            wasFull = Array(repeating: false, count: set.slotCount)
        }
    }

    /// - Parameter events: what takers are told by; kept alive by the caller as long as the pool is used.
    package init(_ upstream: Upstream, loop: EventLoop, events: UnsafePointer<UpstreamEvents>) {
        self.upstream = upstream
        self.loop = loop
        self.events = events
        state = .allocate(capacity: 1)
        state.initialize(to: State(upstream.endpointSet))
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

    // MARK: The endpoints

    /// Has the loop take over the endpoints as they are now. Any thread.
    func refresh() {
        loop.submit { [self] _ in
            takeOver()
            // New endpoints have places.
            serveWaiting()
        }
    }

    /// Takes the present endpoints over, and closes unused connections to those that are gone. Nothing is leased before
    /// that: a slot may be another endpoint's now.
    private func takeOver() {
        let set = upstream.endpointSet
        guard set.version != state.pointee.set.version else { return }
        let former = state.pointee.set
        state.pointee.set = set
        for endpoint in former.endpoints where endpoint.isRetired {
            eachIdle(endpoint.slot) { loop.close($0.channel) }
        }
        let missing = set.slotCount - state.pointee.newest.count
        if missing > 0 {
            state.pointee.newest.append(contentsOf: repeatElement(nil, count: missing))
            state.pointee.wasFull.append(contentsOf: repeatElement(false, count: missing))
        }
        for endpoint in set.endpoints where endpoint.connectionCount < set.policy.connectionsMax {
            state.pointee.wasFull[endpoint.slot] = true
        }
    }

    // MARK: Leasing

    /// A connection for one request: an unused one of the endpoint whose turn it is, or a new one.
    ///
    /// - Parameters:
    ///   - route: the index of the route that asks.
    ///   - failed: the slot of the endpoint that this request has just tried in vain; the one behind it comes then.
    ///   - place: where it stood in the queue, if it has waited before.
    ///   - left: how long the request has for its answer; endpoints that have taken longer of late for this route are
    ///     passed over.
    package func lease(
        to taker: UpstreamEvents.Taker,
        method: HTTPMethod,
        route: Int,
        after failed: Int? = nil,
        place: UInt64? = nil,
        left: Nanoseconds = .max
    ) -> Lease {
        if upstream.publishedVersion != state.pointee.set.version { takeOver() }
        // Nothing below takes another set over.
        return Unmanaged.passUnretained(state.pointee.set)._withUnsafeGuaranteedRef { set in
            find(in: set, for: taker, method: method, route: route, after: failed, left: left) ?? wait(taker, place)
        }
    }

    /// Nil where every endpoint that could serve the request has as many connections as it may.
    private func find(
        in set: EndpointSet,
        for taker: UpstreamEvents.Taker,
        method: HTTPMethod,
        route: Int,
        after failed: Int?,
        left: Nanoseconds
    ) -> Lease? {
        let count = set.endpoints.count
        guard count > 0 else { return .failed(.connect) }
        let first = failed.flatMap { set.place(after: $0) } ?? set.place(atTurn: upstream.nextTurn())
        var fault: UpstreamFault?
        var isBusy = false
        var isLate = false
        for offset in 0..<count {
            let endpoint = set.endpoints[first + offset < count ? first + offset : first + offset - count]
            let slot = endpoint.slot
            guard endpoint.responseTimes.admits(left, route: route, at: loop.now) else {
                isLate = true
                state.pointee.wasFull[slot] = false
                continue
            }
            while let reference = state.pointee.newest[slot] {
                let connection = reference.takeUnretainedValue()
                unlink(connection)
                guard connection.channel.isOpen, !connection.channel.isEnded else { continue }
                connection.lease(to: taker, method: method, route: route)
                return .connection(connection)
            }
            guard endpoint.reserveConnection(max: set.policy.connectionsMax) else {
                isBusy = true
                state.pointee.wasFull[slot] = true
                continue
            }
            guard let connection = connect(endpoint) else {
                fault = .connect
                state.pointee.wasFull[slot] = false
                continue
            }
            connection.lease(to: taker, method: method, route: route)
            return .connection(connection)
        }
        if isBusy { return nil }
        if isLate, fault == nil { return .late }
        return .failed(fault ?? .connect)
    }

    /// Begins a connection in a place that was reserved; nil, and the place free again, if there is no way to.
    private func connect(_ endpoint: Endpoint) -> UpstreamConnection? {
        guard let address = endpoint.addressInTurn() else {
            fail(endpoint)
            return nil
        }
        let connection = UpstreamConnection(pool: self, endpoint: endpoint)
        do throws(SystemCallError) {
            try loop.connect(to: address) { _, channel, _ in
                connection.open(channel)
                return UnsafePointer(connection.pool.channelEvents)
            }
        } catch {
            fail(endpoint)
            return nil
        }
        state.pointee.connectionCount += 1
        return connection
    }

    private func fail(_ endpoint: Endpoint) {
        endpoint.note(.connect)
        endpoint.returnConnection()
    }

    /// Opens a connection to each endpoint that has none yet, to learn whether it answers; kept for the first request.
    package func probe() {
        takeOver()
        for endpoint in state.pointee.set.endpoints
        where endpoint.connectionCount == 0 && endpoint.reserveConnection(max: policy.connectionsMax) {
            _ = connect(endpoint)
        }
    }

    // MARK: Keeping

    /// Takes a connection that has served its request, or was opened for none.
    func give(_ connection: UpstreamConnection) {
        guard state.pointee.keepsConnections, !connection.endpoint.isRetired else {
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

    /// The loop has ended: nothing is left.
    package func end() {
        for slot in state.pointee.newest.indices { state.pointee.newest[slot] = nil }
        state.pointee.waiting = []
        upstream.setWaiting(self, false)
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

    private func wait(_ taker: UpstreamEvents.Taker, _ former: UInt64?) -> Lease {
        guard state.pointee.waiting.count < policy.waitingMax else { return .full }
        let place = former ?? state.pointee.lastPlace + 1
        state.pointee.lastPlace = max(place, state.pointee.lastPlace)
        let count = state.pointee.waiting.count
        // One that waits again has been at the front before: little is ahead of it.
        let index = former == nil ? count : state.pointee.waiting.firstIndex { $0.place > place } ?? count
        state.pointee.waiting.insert((taker, place), at: index)
        upstream.setWaiting(self, true)
        upstream.reclaimIdle(for: self)
        // A place may have become free between the look at the counts and the note that somebody waits.
        if state.pointee.set.endpoints.contains(where: { hasPlace($0) }) { wake() }
        return .wait(place: place)
    }

    /// Takes back a request that waits.
    package func stopWaiting(_ taker: UpstreamEvents.Taker) {
        state.pointee.waiting.removeAll { $0.taker == taker }
        if state.pointee.waiting.isEmpty { upstream.setWaiting(self, false) }
    }

    var keepsConnections: Bool { state.pointee.keepsConnections }

    /// Requests that wait for a connection.
    package var waitingCount: Int { state.pointee.waiting.count }

    /// Lets those who wait try again, in the order in which they came. Any thread.
    func wake() {
        loop.submit { [self] _ in serveWaiting() }
    }

    private func serveWaiting() {
        while !state.pointee.waiting.isEmpty, canServe {
            let (taker, place) = state.pointee.waiting.removeFirst()
            if state.pointee.waiting.isEmpty { upstream.setWaiting(self, false) }
            events.pointee.available(taker)
            // What this one did not get, those behind it do not get either.
            if state.pointee.waiting.first?.place == place { return }
        }
    }

    private var canServe: Bool {
        // Without an endpoint nobody is to wait any longer.
        state.pointee.set.endpoints.isEmpty
            || state.pointee.set.endpoints.contains { state.pointee.newest[$0.slot] != nil || hasPlace($0) }
    }

    /// Whether an endpoint that was full has a place now. One that could not be connected to has places all the time:
    /// trying it for everybody who waits, whenever somebody is served, would keep the loop from its work.
    private func hasPlace(_ endpoint: Endpoint) -> Bool {
        state.pointee.wasFull[endpoint.slot] && endpoint.connectionCount < policy.connectionsMax
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
