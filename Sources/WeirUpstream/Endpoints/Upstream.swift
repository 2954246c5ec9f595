// SPDX-License-Identifier: Apache-2.0
// A named set of endpoints, and whose turn it is.

import Synchronization
package import WeirEventLoop
package import WeirHTTP

/// What an upstream's connections may take and how long.
package struct UpstreamPolicy: Sendable {
    /// Open connections to one endpoint, over all loops.
    package var connectionsMax = 1024
    /// Requests of one loop that wait for a connection.
    package var waitingMax = 1024
    package var connectTimeout: Nanoseconds = 5_000_000_000
    /// For how long an unused connection is kept.
    package var idleTimeout: Nanoseconds = 60_000_000_000
    /// For how long an endpoint may neither send nor take anything in the middle of a message.
    package var transferTimeout: Nanoseconds = 60_000_000_000
    /// The header that begins each connection; such a connection serves one request.
    package var proxyProtocol: ProxyProtocol.Version?
    package var http = HTTPLimits()

    package init() {}
}

/// Endpoints that stand for each other.
package final class Upstream: Sendable {
    package let name: String
    package let endpoints: [Endpoint]
    package let policy: UpstreamPolicy
    /// Whether the service can serve nothing before an endpoint has answered.
    package let gatesReadiness: Bool
    /// Whose turn it is, endpoint by endpoint, as often as their weights say.
    private let turns: [UInt16]
    private let turn = Atomic<UInt64>(0)
    /// How many pools have requests that wait for a connection. Raised before the last look at the counts, looked at
    /// after a count was lowered; sequentially consistent, so that one of the two sees the other.
    private let waitingPools = Atomic<Int>(0)
    private let pools = Mutex<[PoolReference]>([])

    /// Pools outlive their upstream's use: the loops that own them are stopped first.
    private struct PoolReference: Sendable {
        let pool: UpstreamPool
    }

    /// - Precondition: at least one endpoint.
    package init(name: String, endpoints urls: [EndpointURL], policy: UpstreamPolicy, gatesReadiness: Bool = true) {
        precondition(!urls.isEmpty, "an upstream has at least one endpoint")
        self.name = name
        self.policy = policy
        self.gatesReadiness = gatesReadiness
        endpoints = urls.map { Endpoint($0) }
        turns = Self.schedule(urls.map(\.weight))
    }

    /// How many places there are to connect to: an endpoint that is a name may have several addresses.
    package var addressCount: Int { endpoints.reduce(0) { $0 + max(1, $1.knownAddresses.count) } }

    /// Whether some endpoint has taken a connection.
    package var hasAnswered: Bool { endpoints.contains { $0.hasAnswered } }

    /// The endpoint whose turn it is: weighted round robin over all loops.
    func endpointInTurn() -> Int {
        guard turns.count > 1 else { return 0 }
        let number = turn.wrappingAdd(1, ordering: .relaxed).oldValue
        return Int(turns[Int(number % UInt64(turns.count))])
    }

    /// A round in which each endpoint comes as often as its weight says, spread evenly: the smooth weighted round robin
    /// of nginx, worked out once. Weights whose sum is above 4,096 are scaled down to it.
    package static func schedule(_ weights: [Int]) -> [UInt16] {
        let turnsMax = 4096
        let divisor = weights.reduce(0) { greatestCommonDivisor($0, $1) }
        var shares = weights.map { $0 / divisor }
        let sum = shares.reduce(0, +)
        if sum > turnsMax { shares = shares.map { max(1, $0 * turnsMax / sum) } }
        let total = shares.reduce(0, +)
        var credits = [Int](repeating: 0, count: shares.count)
        return (0..<total).map { _ in
            var best = 0
            for index in shares.indices {
                credits[index] += shares[index]
                if credits[index] > credits[best] { best = index }
            }
            credits[best] -= total
            return UInt16(best)
        }
    }

    private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
        b == 0 ? a : greatestCommonDivisor(b, a % b)
    }

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
