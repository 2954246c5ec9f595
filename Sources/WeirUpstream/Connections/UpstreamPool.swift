// SPDX-License-Identifier: Apache-2.0
// One loop's connections to one upstream: unused ones, newest first, and the requests that wait for one.

import Synchronization
package import WeirEventLoop

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
    let isWoken = Atomic<Bool>(false)
    package let loop: EventLoop
    let events: UnsafePointer<UpstreamEvents>
    let channelEvents: UnsafeMutablePointer<ChannelEvents>
    /// What changes, behind a pointer: a field of a class pays a run-time exclusivity check where it is passed inout.
    let state: UnsafeMutablePointer<State>

    struct State {
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
    struct Waiter {
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
    func takeOver() {
        let set = state.pointee.edition.endpointSet
        let former = state.pointee.set
        guard set !== former else { return }
        // Those that begin with another header are unused, too, where they were opened to learn whether somebody answers.
        let beginsAlike =
            set.policy.proxyProtocol == former.policy.proxyProtocol && set.policy.tls == former.policy.tls
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
    func noteRoom() {
        let set = state.pointee.set
        for (place, endpoint) in set.endpoints.enumerated()
        where set.isUsed(place) && endpoint.connectionCount < set.policy.connectionsMax {
            state.pointee.wasFull[endpoint.slot] = true
        }
    }

    /// Whether there is an endpoint, of whatever health.
    package var hasEndpoints: Bool { !state.pointee.set.endpoints.isEmpty }

    // MARK: Keeping

    /// Takes a connection that has served its request, or was opened for none.
    func give(_ connection: UpstreamConnection) {
        guard state.pointee.keepsConnections, hasSlot(connection.endpoint), connection.isAtEndpoint,
            connection.tls == nil || connection.tls === policy.tls
        else { return loop.close(connection.channel) }
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

    func unlink(_ connection: UpstreamConnection) {
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
    func eachIdle(_ slot: Int, _ body: (UpstreamConnection) -> Void) {
        var next = state.pointee.newest[slot]
        while let reference = next {
            let connection = reference.takeUnretainedValue()
            next = connection.state.pointee.older
            body(connection)
        }
    }
}
