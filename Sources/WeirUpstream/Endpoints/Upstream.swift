// SPDX-License-Identifier: Apache-2.0
// A named set of endpoints that come and go, and who waits for a connection to one. Shared by all loops.

import Synchronization
package import WeirEventLoop

/// Endpoints that stand for each other.
///
/// Which they are, and what each gets, is an immutable set that is published whole; each loop's pool takes a new one over
/// before it leases the next connection. An endpoint that is in the old set and in the new one is the same object.
package final class Upstream: Sendable {
    package let name: String
    /// What its source and its checks came to.
    package let report = UpstreamReport()
    package let retryBudget = RetryBudget()
    /// The version of the published set; pairs with the release in `publish`.
    private let version: Atomic<UInt64>
    private let present: Mutex<Present>
    /// How many pools have requests that wait for a connection. Raised before the last look at the counts, looked at
    /// after a count was lowered; sequentially consistent, so that one of the two sees the other.
    private let waitingPools = Atomic<Int>(0)
    private let pools = Mutex<[PoolReference]>([])

    /// What is published, and what it comes from.
    private struct Present {
        var set: EndpointSet
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

    package init(name: String, endpoints urls: [EndpointURL], policy: UpstreamPolicy) {
        self.name = name
        version = Atomic(1)
        let weights = urls.map(\.weight)
        present = Mutex(
            Present(
                set: EndpointSet(
                    version: 1,
                    endpoints: urls.enumerated().map { Endpoint($1, slot: $0, serial: UInt64($0)) },
                    configuredWeights: weights,
                    weights: weights.map { EffectiveWeight($0 * policy.passingWeight) },
                    isPanicking: false,
                    policy: policy,
                    replacing: nil
                ),
                serials: UInt64(urls.count)
            )
        )
    }

    // MARK: Its endpoints

    /// The endpoints as they are now.
    package var endpointSet: EndpointSet { present.withLock { $0.set } }

    package var endpoints: [Endpoint] { endpointSet.endpoints }

    package var policy: UpstreamPolicy { endpointSet.policy }

    /// What to compare a set's version with: one load.
    var publishedVersion: UInt64 { version.load(ordering: .acquiring) }

    /// Replaces the endpoints, or what holds for them. Those that are at the same place as before stay; requests on their
    /// way to one that is gone go on, and its unused connections are closed.
    package func replace(_ urls: [EndpointURL], policy: UpstreamPolicy) {
        replace(urls.map { DiscoveredEndpoint($0) }, policy: policy)
    }

    /// Replaces the endpoints by those that were found, in the same way.
    package func replace(_ found: [DiscoveredEndpoint]) {
        replace(found, policy: nil)
    }

    /// Replaces what holds for the endpoints.
    package func replace(policy: UpstreamPolicy) {
        replace(nil, policy: policy)
    }

    private func replace(_ found: [DiscoveredEndpoint]?, policy: UpstreamPolicy?) {
        present.withLock { present in
            let former = present.set
            let next = present.weighing.set(
                found.map { Self.endpoints($0, keeping: former.endpoints, &present.serials) } ?? former.endpoints,
                found?.map(\.presentWeight) ?? former.configuredWeights,
                policy ?? former.policy,
                replacing: former,
                at: present.now
            )
            // Before anybody can take the new set over: who does, finds which endpoints are gone.
            let kept = Set(next.endpoints.map(ObjectIdentifier.init))
            for endpoint in former.endpoints where !kept.contains(ObjectIdentifier(endpoint)) { endpoint.retire() }
            present.set = next
        }
        publish()
        for reference in pools.withLock({ $0 }) { reference.pool.refresh() }
    }

    /// Looks at what has become of the endpoints, ejects those that do worse than the others, and has loops choose by the
    /// weights that follow. To be called several times a second.
    ///
    /// - Returns: what is worth a line in the log.
    package func reweigh(at now: Nanoseconds) -> [UpstreamEvent] {
        let (events, isNew) = present.withLock { present in
            present.now = now
            let events = present.weighing.look(at: present.set, now)
            guard let next = present.weighing.reweighed(present.set, at: now) else { return (events, false) }
            let panics = next.isPanicking == present.set.isPanicking ? [] : [UpstreamEvent.panic(next.isPanicking)]
            present.set = next
            return (events + panics, true)
        }
        if isNew {
            publish()
            for reference in pools.withLock({ $0 }) { reference.pool.refresh() }
        }
        return events
    }

    /// Ejections so far by cause, and outliers that stayed because too many others were out.
    package var ejections: EjectionCounts { present.withLock { $0.weighing.counts } }

    /// Whoever sees the version finds the set: it is written before, under the mutex.
    private func publish() {
        version.max(endpointSet.version, ordering: .releasing)
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
            let endpoint =
                former ?? Endpoint(found.url, slot: free.next() ?? 0, serial: serials, authority: found.authority)
            endpoint.condition.noteListed(found.presentHealth)
            return endpoint
        }
    }

    /// How many places there are to connect to: an endpoint that is a name may have several addresses.
    package var addressCount: Int { endpoints.reduce(0) { $0 + max(1, $1.knownAddresses.count) } }

    /// Whether some endpoint has taken a connection.
    package var hasAnswered: Bool { endpoints.contains { $0.hasAnswered } }

    // MARK: Waiting for a connection

    func register(_ pool: UpstreamPool) {
        pools.withLock { $0.append(PoolReference(pool: pool)) }
    }

    func forget(_ pool: UpstreamPool) {
        pools.withLock { $0.removeAll { $0.pool === pool } }
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
