// SPDX-License-Identifier: Apache-2.0
// The limits of a server that its routes have asked for, and by how many replicas those of the cluster are divided.
// A value, under the mutex of `FlowControl`.

import WeirEventLoop
import WeirFlow

/// A limit of a route.
struct AppliedLimit {
    let declared: WeirFlow.RateLimit
    /// Its index among the server's limits and in the store, the same on every route.
    let number: Int
    /// What counts it here: the whole limit, or this replica's share of it.
    let limiter: Limiter
}

/// Each limit is made when its first route is met.
struct MadeLimits {
    private struct Made {
        let declared: DeclaredLimit
        var limiter: Limiter
    }

    private let settings: Settings.RateLimiting
    private var all: [Made] = []
    /// All of them as the store counts them; empty where none does.
    private(set) var stored: [StoreLimit] = []
    private var replicas: ReplicaCount
    /// By how many the shares are divided.
    private var divisor: Int

    init(_ settings: Settings.RateLimiting) {
        self.settings = settings
        replicas = ReplicaCount(settings.replicas)
        divisor = settings.replicas
    }

    var limiters: [Limiter] { all.map(\.limiter) }

    /// The limits of a route, in order.
    ///
    /// - Parameter route: names the route that the limits are for, alike on every replica; nil for those of all routes.
    mutating func apply(_ declared: [DeclaredLimit], route: String?, now: Nanoseconds) -> [AppliedLimit] {
        declared.map { declared in
            let number = all.firstIndex { $0.declared === declared } ?? make(declared, route, now: now)
            return AppliedLimit(declared: declared.limit.limit, number: number, limiter: all[number].limiter)
        }
    }

    private mutating func make(_ declared: DeclaredLimit, _ route: String?, now: Nanoseconds) -> Int {
        let limit = declared.limit.limit
        if settings.usesStore {
            let name = freeName([limit.name, route].compactMap(\.self).joined(separator: " "))
            guard let storeLimit = StoreLimit(limit, name: name) else {
                preconditionFailure("a limit that the settings' check would have refused")
            }
            stored.append(storeLimit)
        }
        let limiter = Limiter(share(of: limit), tableBytes: settings.tableBytes, now: now)
        all.append(Made(declared: declared, limiter: limiter))
        return all.count - 1
    }

    /// The name, with a number where there is such a limit already.
    private func freeName(_ name: String) -> String {
        var free = name
        var count = 1
        while stored.contains(where: { $0.name == free }) {
            count += 1
            free = "\(name) \(count)"
        }
        return free
    }

    private func share(of limit: WeirFlow.RateLimit) -> WeirFlow.RateLimit {
        settings.scope == .cluster ? limit.divided(by: UInt64(divisor)) : limit
    }

    // MARK: Replicas

    /// Takes what a provider sees now.
    mutating func observeReplicas(_ count: Int, now: Nanoseconds) {
        replicas.observe(count, at: now)
    }

    /// Divides by the number of replicas that counts now; false if that is the same as before. What was used up stays so.
    mutating func divideAnew(now: Nanoseconds) -> Bool {
        let count = replicas.count(at: now)
        guard settings.scope == .cluster, count != divisor else { return false }
        divisor = count
        for index in all.indices {
            let next = Limiter(share(of: all[index].declared.limit.limit), tableBytes: settings.tableBytes, now: now)
            next.adopt(from: all[index].limiter, now: now)
            all[index].limiter = next
        }
        return true
    }
}
