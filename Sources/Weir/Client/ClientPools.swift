// SPDX-License-Identifier: Apache-2.0
// A loop's connections for other takers than the clients' requests. Confined to the loop's thread.

import WeirEventLoop
import WeirUpstream

/// The pools of one kind of takers, handlers' requests or mirrors' copies; an upstream's is made when it is first asked.
///
/// Apart from those of the gateway's routes, because a pool tells all its takers by one table of functions; the limit of
/// connections is the endpoint's, over all pools.
///
/// `@unchecked Sendable`: confined to the loop's thread.
final class ClientPools: @unchecked Sendable {
    private let loop: EventLoop
    private var upstreams: [Upstream]
    /// What the snapshot says of each.
    private var editions: [UpstreamEdition]
    /// Each at the place of its upstream; nil until it is first asked.
    private var pools: [UpstreamPool?]
    /// Of upstreams that are no longer there, until their requests have ended.
    private var formerPools: [UpstreamPool] = []
    private var isClosed = false
    private let events: UnsafeMutablePointer<UpstreamEvents>

    init(_ upstreams: [Upstream], _ editions: [UpstreamEdition], loop: EventLoop, events table: UpstreamEvents) {
        self.upstreams = upstreams
        self.editions = editions
        pools = Array(repeating: nil, count: upstreams.count)
        self.loop = loop
        events = .allocate(capacity: 1)
        events.initialize(to: table)
    }

    deinit {
        events.deinitialize(count: 1)
        events.deallocate()
    }

    /// The pool of the upstream of this name; nil without such.
    func pool(_ name: String) -> UpstreamPool? {
        upstreams.firstIndex { $0.name == name }.map { pool(at: $0) }
    }

    /// The pool of a route's upstream; nil where that is no longer there. It has the same place here as in the route's
    /// snapshot, unless that snapshot is a former one.
    func pool(_ destination: RouteUpstream) -> UpstreamPool? {
        let index = destination.index
        if index < upstreams.count, upstreams[index] === destination.upstream { return pool(at: index) }
        return upstreams.firstIndex { $0 === destination.upstream }.map { pool(at: $0) }
    }

    private func pool(at index: Int) -> UpstreamPool {
        if let pool = pools[index] { return pool }
        let pool = UpstreamPool(upstreams[index], as: editions[index], loop: loop, events: events)
        if isClosed { pool.close() }
        pools[index] = pool
        return pool
    }

    /// Another snapshot is in force.
    func replace(_ upstreams: [Upstream], _ editions: [UpstreamEdition]) {
        self.upstreams = upstreams
        self.editions = editions
        let former = pools.compactMap(\.self)
        pools = upstreams.map { upstream in former.first { $0.upstream === upstream } }
        formerPools += former.filter { pool in !upstreams.contains { $0 === pool.upstream } }
        for (pool, edition) in zip(pools, editions) { pool?.adopt(edition) }
        formerPools.closeAndForgetQuiet()
    }

    /// As `UpstreamPool.close`.
    func close() {
        isClosed = true
        for pool in pools { pool?.close() }
    }

    /// As `UpstreamPool.reopen`.
    func reopen() {
        isClosed = false
        for pool in pools { pool?.reopen() }
    }

    /// The loop has ended.
    func end() {
        for pool in pools.compactMap(\.self) + formerPools { pool.end() }
    }
}

extension [UpstreamPool] {
    /// Closes pools that nobody leases from any more, and lets go of those in which nothing is left.
    mutating func closeAndForgetQuiet() {
        for pool in self { pool.close() }
        removeAll { pool in
            guard pool.isQuiet else { return false }
            pool.end()
            return true
        }
    }
}
