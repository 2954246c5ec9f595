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
    private var pools: [UpstreamPool] = []
    /// Of upstreams that are no longer there, until their requests have ended.
    private var formerPools: [UpstreamPool] = []
    private var isClosed = false
    private let events: UnsafeMutablePointer<UpstreamEvents>

    init(_ upstreams: [Upstream], _ editions: [UpstreamEdition], loop: EventLoop, events table: UpstreamEvents) {
        self.upstreams = upstreams
        self.editions = editions
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
        if let pool = pools.first(where: { $0.upstream.name == name }) { return pool }
        guard let index = upstreams.firstIndex(where: { $0.name == name }) else { return nil }
        let pool = UpstreamPool(upstreams[index], as: editions[index], loop: loop, events: events)
        if isClosed { pool.close() }
        pools.append(pool)
        return pool
    }

    /// Another snapshot is in force.
    func replace(_ upstreams: [Upstream], _ editions: [UpstreamEdition]) {
        self.upstreams = upstreams
        self.editions = editions
        formerPools += pools.filter { pool in !upstreams.contains { $0 === pool.upstream } }
        pools.removeAll { pool in !upstreams.contains { $0 === pool.upstream } }
        for pool in pools {
            if let index = upstreams.firstIndex(where: { $0 === pool.upstream }) { pool.adopt(editions[index]) }
        }
        formerPools.closeAndForgetQuiet()
    }

    /// As `UpstreamPool.close`.
    func close() {
        isClosed = true
        for pool in pools { pool.close() }
    }

    /// The loop has ended.
    func end() {
        for pool in pools + formerPools { pool.end() }
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
