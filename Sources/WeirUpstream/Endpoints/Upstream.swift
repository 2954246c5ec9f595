// SPDX-License-Identifier: Apache-2.0
// A named set of endpoints that come and go, and who waits for a connection to one. Shared by all loops.

import Synchronization
package import WeirEventLoop

/// Endpoints that stand for each other.
///
/// Which they are, and what each gets, is an immutable set. It is built by whoever changes something, one after the other,
/// and then published with one swap: loops never wait for a build. Each loop's pool takes a new one over before it leases
/// the next connection. An endpoint that is in the old set and in the new one is the same object.
package final class Upstream: Sendable {
    /// The most endpoints of one: as many as a balancing table holds. A source that lists more is cut, which is said in
    /// the log and counted (`weir_discovery_updates_total{outcome="cut"}`); a file that does is refused.
    package static let endpointsMax = BalancerTable.entriesMax

    package let name: String
    /// What its source and its checks came to.
    package let report = UpstreamReport()
    package let retryBudget = RetryBudget()
    /// Held while a set is built, which takes milliseconds where there are many endpoints: by the threads that reload and
    /// that look after endpoints, never by a loop that serves.
    private let turn: Mutex<Turn>
    /// That of the configuration in force. Held for a reference.
    private let present: Mutex<UpstreamEdition>
    /// What `turn` says of ejections, for those who must not wait for a build.
    private let ejected = Mutex(EjectionCounts())
    /// How many pools have requests that wait for a connection. Raised before the last look at the counts, looked at
    /// after a count was lowered; sequentially consistent, so that one of the two sees the other.
    private let waitingPools = Atomic<Int>(0)
    private let pools = Mutex<[PoolReference]>([])

    /// What the next set comes from.
    private struct Turn {
        var weighing = EndpointWeighing()
        /// The time of the last look at the endpoints.
        var now: Nanoseconds = 0
        /// How many endpoints there have been.
        var serials: UInt64
    }

    /// Pools outlive their upstream's use: the loops that own them are stopped first.
    private struct PoolReference: Sendable {
        let pool: UpstreamPool
    }

    /// - Parameter source: the URL of what will list the endpoints; nil where these are they.
    package init(name: String, endpoints urls: [EndpointURL], policy: UpstreamPolicy, source: String? = nil) {
        self.name = name
        let weights = urls.map { ConfiguredWeight($0.weight) }
        let set = EndpointSet(
            version: 1,
            endpoints: urls.enumerated().map { Endpoint($1, slot: $0, serial: UInt64($0)) },
            configuredWeights: weights,
            weights: weights.map { EffectiveWeight($0.passing * policy.passingWeight) },
            isPanicking: false,
            policy: policy,
            replacing: nil
        )
        present = Mutex(UpstreamEdition(set, source: source))
        turn = Mutex(Turn(serials: UInt64(urls.count)))
    }

    // MARK: Its endpoints

    /// That of the configuration in force.
    package var edition: UpstreamEdition { present.withLock { $0 } }

    /// The endpoints as they are now.
    package var endpointSet: EndpointSet { edition.endpointSet }

    package var endpoints: [Endpoint] { endpointSet.endpoints }

    package var policy: UpstreamPolicy { endpointSet.policy }

    /// Ejections so far by cause, and outliers that stayed because too many others were out.
    package var ejections: EjectionCounts { ejected.withLock { $0 } }

    /// How many places there are to connect to: an endpoint that is a name may have several addresses. No lock is taken
    /// for any of them.
    package var addressCount: Int { endpoints.reduce(0) { $0 + max(1, $1.addressCount) } }

    /// Whether some endpoint has taken a connection.
    package var hasAnswered: Bool { endpoints.contains { $0.hasAnswered } }

    // MARK: Changes

    /// Replaces the endpoints by those that a source has listed. Those that are at the same place as before stay; requests
    /// on their way to one that is gone go on, and its unused connections are closed.
    ///
    /// - Parameter source: its URL. Where the configuration in force has another, or none, the list is late.
    /// - Returns: whether they are the endpoints now.
    @discardableResult
    package func replace(_ found: [DiscoveredEndpoint], from source: String?) -> Bool {
        let isPresent = turn.withLock { turn in
            let edition = edition
            guard edition.source == source else { return false }
            let former = edition.endpointSet
            let endpoints = Self.endpoints(found, keeping: former.endpoints, &turn.serials)
            for (endpoint, found) in zip(endpoints, found) { endpoint.condition.noteListed(found.presentHealth) }
            edition.publish(
                turn.weighing.set(
                    endpoints,
                    found.map(\.configuredWeight),
                    former.policy,
                    replacing: former,
                    at: turn.now
                )
            )
            edition.noteHeard()
            return true
        }
        if isPresent { refreshPools() }
        return isPresent
    }

    /// The name of an endpoint stands for these addresses now. Unused connections to others are closed, as those in use are
    /// after their request: whoever has moved is not to get requests for as long as somebody keeps one.
    package func resolved(_ endpoint: Endpoint, to found: [SocketAddress]) {
        guard endpoint.resolved(to: found) else { return }
        for reference in pools.withLock({ $0 }) { reference.pool.closeMoved(endpoint) }
    }

    /// A source cannot be read: requests that wait for its first word wait no longer.
    package func noteFailure(of source: String) {
        let wasAwaited = turn.withLock { _ in
            let edition = edition
            guard edition.source == source, edition.awaitsEndpoints else { return false }
            edition.noteHeard()
            return true
        }
        if wasAwaited { refreshPools() }
    }

    /// What it becomes with a configuration that is about to be published, beside what it is: nothing changes before
    /// `begin`. It is the present edition where the configuration says the same.
    ///
    /// - Parameters:
    ///   - urls: the endpoints; not asked for where `source` lists them, which begins with those that there are.
    ///   - source: the URL of what lists them.
    package func draft(_ urls: [EndpointURL], policy: UpstreamPolicy, source: String? = nil) -> UpstreamDraft {
        turn.withLock { turn in
            let edition = edition
            let former = edition.endpointSet
            let isSame = edition.source == source && former.policy == policy
            guard !isSame || source == nil && !former.lists(urls) else {
                return UpstreamDraft(upstream: self, edition: edition, former: former)
            }
            let isListed = source != nil
            let set = turn.weighing.set(
                isListed
                    ? former.endpoints
                    : Self.endpoints(urls.map { DiscoveredEndpoint($0) }, keeping: former.endpoints, &turn.serials),
                isListed ? former.configuredWeights : urls.map { ConfiguredWeight($0.weight) },
                policy,
                replacing: former,
                at: turn.now
            )
            let hasHeard = edition.source == source && !edition.awaitsEndpoints
            return UpstreamDraft(
                upstream: self,
                edition: UpstreamEdition(set, source: source, hasHeard: hasHeard),
                former: former
            )
        }
    }

    /// The snapshot that names the draft is published: from now on its edition follows the endpoints.
    package func begin(_ draft: UpstreamDraft) {
        turn.withLock { turn in
            guard draft.edition !== edition else { return }
            let former = edition.endpointSet
            if draft.edition.source == nil {
                // What a source said of them holds no longer.
                for endpoint in draft.edition.endpointSet.endpoints { endpoint.condition.noteListed(.unknown) }
            } else if former.version != draft.former.version {
                // Its source has listed others meanwhile, or they weigh something else.
                draft.edition.publish(
                    turn.weighing.set(
                        former.endpoints,
                        former.configuredWeights,
                        draft.edition.endpointSet.policy,
                        replacing: former,
                        at: turn.now
                    )
                )
            }
            if edition.source == draft.edition.source, !edition.awaitsEndpoints { draft.edition.noteHeard() }
            present.withLock { $0 = draft.edition }
        }
        refreshPools()
    }

    /// Looks at what has become of the endpoints, ejects those that do worse than the others, and has loops choose by the
    /// weights that follow. To be called several times a second.
    ///
    /// - Returns: what is worth a line in the log.
    package func reweigh(at now: Nanoseconds) -> [UpstreamEvent] {
        let (events, isNew) = turn.withLock { turn in
            turn.now = now
            let edition = edition
            let former = edition.endpointSet
            let events = turn.weighing.look(at: former, now)
            ejected.withLock { $0 = turn.weighing.counts }
            guard let next = turn.weighing.reweighed(former, at: now) else { return (events, false) }
            edition.publish(next)
            return (events + (next.isPanicking == former.isPanicking ? [] : [.panic(next.isPanicking)]), true)
        }
        if isNew { refreshPools() }
        return events
    }

    /// An endpoint for each that was found: the former one where there is one, else a new one in the least slot that is
    /// free.
    private static func endpoints(
        _ found: [DiscoveredEndpoint],
        keeping former: [Endpoint],
        _ serials: inout UInt64
    ) -> [Endpoint] {
        let byPlace = Dictionary(former.map { ($0.url.place, $0) }) { first, _ in first }
        let kept = found.map { each in byPlace[each.url.place].flatMap { $0.isSame(as: each) ? $0 : nil } }
        let taken = Set(kept.compactMap { $0?.slot })
        var free = (0...).lazy.filter { !taken.contains($0) }.makeIterator()
        return zip(found, kept).map { found, former in
            serials += 1
            // There are more numbers than endpoints.
            return former ?? Endpoint(found.url, slot: free.next() ?? 0, serial: serials, authority: found.authority)
        }
    }

    // MARK: Waiting for a connection

    func register(_ pool: UpstreamPool) {
        pools.withLock { $0.append(PoolReference(pool: pool)) }
    }

    func forget(_ pool: UpstreamPool) {
        pools.withLock { $0.removeAll { $0.pool === pool } }
    }

    private func refreshPools() {
        for reference in pools.withLock({ $0 }) { reference.pool.refresh() }
    }

    /// Whether requests of any loop wait for a connection.
    var hasWaiting: Bool { waitingPools.load(ordering: .sequentiallyConsistent) != 0 }

    /// Notes that requests of a pool wait, or no longer do; on the pool's loop.
    func setWaiting(_ pool: UpstreamPool, _ isWaiting: Bool) {
        guard pool.isWaiting.exchange(isWaiting, ordering: .sequentiallyConsistent) != isWaiting else { return }
        waitingPools.wrappingAdd(isWaiting ? 1 : -1, ordering: .sequentiallyConsistent)
    }

    /// A place for a connection has become free: the loops with requests that wait look again.
    func wakeWaiting() {
        guard hasWaiting else { return }
        for reference in pools.withLock({ $0 })
        where reference.pool.isWaiting.load(ordering: .sequentiallyConsistent) {
            reference.pool.wake()
        }
    }

    /// Requests of `pool` wait while others may hold unused connections: these are given up, one per endpoint and loop.
    func reclaimIdle(for pool: UpstreamPool) {
        for reference in pools.withLock({ $0 }) where reference.pool !== pool { reference.pool.giveUpIdle() }
    }
}
