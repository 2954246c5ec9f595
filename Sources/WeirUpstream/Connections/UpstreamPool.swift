// SPDX-License-Identifier: Apache-2.0
// One loop's connections to one upstream: unused ones, newest first, and the requests that wait for one.

import Synchronization
package import WeirEventLoop
package import WeirHTTP

/// `@unchecked Sendable`: confined to its loop's thread, but for `wake` and `giveUpIdle`.
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
        /// Unused connections by endpoint: a list from the newest to the oldest. Their channels keep them.
        var newest: [Unmanaged<UpstreamConnection>?]
        /// By place, the least first.
        var waiting: [(taker: UpstreamEvents.Taker, place: UInt64)] = []
        /// The place that was given last.
        var lastPlace: UInt64 = 0
        /// By endpoint, while somebody waits: whether it had no place for one more connection, rather than that it could
        /// not be connected to. Whoever waits, waits for these.
        var wasFull: [Bool]
        /// False from the drain on: what has served its request is closed.
        var keepsConnections = true
    }

    /// - Parameter events: what takers are told by; kept alive by the caller as long as the pool is used.
    package init(_ upstream: Upstream, loop: EventLoop, events: UnsafePointer<UpstreamEvents>) {
        self.upstream = upstream
        self.loop = loop
        self.events = events
        state = .allocate(capacity: 1)
        state.initialize(
            to: State(newest: upstream.endpoints.map { _ in nil }, wasFull: upstream.endpoints.map { _ in false })
        )
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

    // MARK: Leasing

    /// A connection for one request: an unused one of the endpoint whose turn it is, or a new one.
    ///
    /// - Parameters:
    ///   - failed: the endpoint that this request has just tried in vain; the one behind it comes then.
    ///   - place: where it stood in the queue, if it has waited before.
    ///   - left: how long the request has for its answer; endpoints that have taken longer of late are passed over.
    package func lease(
        to taker: UpstreamEvents.Taker,
        method: HTTPMethod,
        after failed: Int? = nil,
        place: UInt64? = nil,
        left: Nanoseconds = .max
    ) -> Lease {
        let count = upstream.endpoints.count
        let first = failed.map { $0 + 1 < count ? $0 + 1 : 0 } ?? upstream.endpointInTurn()
        var fault: UpstreamFault?
        var isBusy = false
        var isLate = false
        for offset in 0..<count {
            let index = first + offset < count ? first + offset : first + offset - count
            guard upstream.endpoints[index].responseTimes.admits(left, at: loop.now) else {
                isLate = true
                state.pointee.wasFull[index] = false
                continue
            }
            while let reference = state.pointee.newest[index] {
                let connection = reference.takeUnretainedValue()
                unlink(connection)
                guard connection.channel.isOpen, !connection.channel.isEnded else { continue }
                connection.lease(to: taker, method: method)
                return .connection(connection)
            }
            guard upstream.endpoints[index].reserveConnection(max: connectionsMax) else {
                isBusy = true
                state.pointee.wasFull[index] = true
                continue
            }
            guard let connection = connect(index) else {
                fault = .connect
                state.pointee.wasFull[index] = false
                continue
            }
            connection.lease(to: taker, method: method)
            return .connection(connection)
        }
        if isBusy { return wait(taker, place) }
        if isLate, fault == nil { return .late }
        return .failed(fault ?? .connect)
    }

    private var connectionsMax: Int { upstream.policy.connectionsMax }

    /// Begins a connection in a place that was reserved; nil, and the place free again, if there is no way to.
    private func connect(_ index: Int) -> UpstreamConnection? {
        let endpoint = upstream.endpoints[index]
        guard let address = endpoint.addressInTurn() else {
            fail(endpoint)
            return nil
        }
        let connection = UpstreamConnection(pool: self, endpointIndex: index)
        do throws(SystemCallError) {
            try loop.connect(to: address) { _, channel, _ in
                connection.open(channel)
                return UnsafePointer(connection.pool.channelEvents)
            }
        } catch {
            fail(endpoint)
            return nil
        }
        return connection
    }

    private func fail(_ endpoint: Endpoint) {
        endpoint.note(.connect)
        endpoint.returnConnection()
    }

    /// Opens a connection to each endpoint that has none yet, to learn whether it answers; kept for the first request.
    package func probe() {
        for (index, endpoint) in upstream.endpoints.enumerated()
        where endpoint.connectionCount == 0 && endpoint.reserveConnection(max: connectionsMax) {
            _ = connect(index)
        }
    }

    // MARK: Keeping

    /// Takes a connection that has served its request, or was opened for none.
    func give(_ connection: UpstreamConnection) {
        guard state.pointee.keepsConnections else { return loop.close(connection.channel) }
        if upstream.hasWaiting, state.pointee.waiting.isEmpty {
            // Others wait for the place that it takes.
            return loop.close(connection.channel)
        }
        // What came behind the response must not wait here for the next request.
        guard connection.channel.isDrained(on: loop) else { return loop.close(connection.channel) }
        connection.channel.setIdle(since: loop.now)
        connection.channel.setDeadline(loop.now &+ upstream.policy.idleTimeout, on: loop)
        link(connection)
        if !state.pointee.waiting.isEmpty { serveWaiting() }
    }

    /// A connection is gone: its place is free.
    func remove(_ connection: UpstreamConnection) {
        unlink(connection)
        connection.endpoint.returnConnection()
        upstream.wakeWaiting()
    }

    /// Closes what is unused, and from now on what has served its request.
    package func close() {
        state.pointee.keepsConnections = false
        for index in upstream.endpoints.indices { eachIdle(index) { loop.close($0.channel) } }
    }

    /// The loop has ended: nothing is left.
    package func end() {
        for index in upstream.endpoints.indices { state.pointee.newest[index] = nil }
        state.pointee.waiting = []
        upstream.setWaiting(self, false)
        upstream.forget(self)
    }

    private func link(_ connection: UpstreamConnection) {
        let index = connection.endpointIndex
        let older = state.pointee.newest[index]
        let reference = Unmanaged.passUnretained(connection)
        connection.state.pointee.isIdle = true
        connection.state.pointee.newer = nil
        connection.state.pointee.older = older
        older?._withUnsafeGuaranteedRef { $0.state.pointee.newer = reference }
        state.pointee.newest[index] = reference
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
            state.pointee.newest[connection.endpointIndex] = older
        }
    }

    /// Calls `body` with each unused connection of an endpoint, the newest first.
    private func eachIdle(_ index: Int, _ body: (UpstreamConnection) -> Void) {
        var next = state.pointee.newest[index]
        while let reference = next {
            let connection = reference.takeUnretainedValue()
            next = connection.state.pointee.older
            body(connection)
        }
    }

    // MARK: Waiting

    private func wait(_ taker: UpstreamEvents.Taker, _ former: UInt64?) -> Lease {
        guard state.pointee.waiting.count < upstream.policy.waitingMax else { return .full }
        let place = former ?? state.pointee.lastPlace + 1
        state.pointee.lastPlace = max(place, state.pointee.lastPlace)
        let count = state.pointee.waiting.count
        // One that waits again has been at the front before: little is ahead of it.
        let index = former == nil ? count : state.pointee.waiting.firstIndex { $0.place > place } ?? count
        state.pointee.waiting.insert((taker, place), at: index)
        upstream.setWaiting(self, true)
        upstream.reclaimIdle(for: self)
        // A place may have become free between the look at the counts and the note that somebody waits.
        if upstream.endpoints.indices.contains(where: { hasPlace($0) }) { wake() }
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
        for index in upstream.endpoints.indices where state.pointee.newest[index] != nil || hasPlace(index) {
            return true
        }
        return false
    }

    /// Whether an endpoint that was full has a place now. One that could not be connected to has places all the time:
    /// trying it for everybody who waits, whenever somebody is served, would keep the loop from its work.
    private func hasPlace(_ index: Int) -> Bool {
        state.pointee.wasFull[index] && upstream.endpoints[index].connectionCount < connectionsMax
    }

    /// Closes the oldest unused connection of each endpoint, because another loop needs the place. Any thread.
    func giveUpIdle() {
        loop.submit { [self] loop in
            for index in upstream.endpoints.indices {
                var oldest: UpstreamConnection?
                eachIdle(index) { oldest = $0 }
                if let oldest { loop.close(oldest.channel) }
            }
        }
    }
}
