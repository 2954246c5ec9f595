// SPDX-License-Identifier: Apache-2.0
// The limits that a server's routes have, each with a number that stays its own across reloads. Values, under the mutex
// of `FlowControl`.

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

/// The limits of the present routes.
struct MadeLimits {
    struct Made {
        /// What it is called in the store, and what a reload knows it by: its name, and the first route that has it.
        let identity: String
        let tableBytes: Int
        let applied: AppliedLimit
    }

    /// By number; nil where a limit is gone. Its number is free from the next reload on, so that what is still under way
    /// for it is never counted for another.
    fileprivate(set) var all: [Made?] = []
    /// By number, as the store counts them; empty where none does. One that is gone stands there until its number is
    /// another's.
    fileprivate(set) var stored: [StoreLimit] = []

    var present: [AppliedLimit] { all.compactMap { $0?.applied } }
}

/// Makes the limits of new routes out of those that there are. Nothing of these changes: what was counted is copied.
struct LimitsDraft {
    private let settings: Settings.RateLimiting
    private let tableBytes: Int
    /// By how many replicas the shares are divided.
    private let divisor: Int
    private let former: MadeLimits
    private let formerNumbers: [String: Int]
    private var identities: Set<String> = []
    /// What was met so far; the declarations are kept, so that none has the address of another.
    private var known: [ObjectIdentifier: (declared: DeclaredLimit, applied: AppliedLimit)] = [:]
    private var firstFree = 0
    private(set) var made = MadeLimits()

    /// - Parameter tableBytes: the memory of each limit that has a key.
    init(_ settings: Settings.RateLimiting, tableBytes: Int, divisor: Int, succeeding former: MadeLimits) {
        self.settings = settings
        self.tableBytes = tableBytes
        self.divisor = divisor
        self.former = former
        var numbers: [String: Int] = [:]
        for case (let number, let limit?) in former.all.enumerated() { numbers[limit.identity] = number }
        formerNumbers = numbers
        made.stored = former.stored
    }

    /// The limits of a route, in order; each is made when its first route is met.
    ///
    /// - Parameter route: names the route that the limits are for, alike on every replica; nil for those of all routes.
    mutating func apply(_ declared: [DeclaredLimit], route: String?, now: Nanoseconds) -> [AppliedLimit] {
        declared.map { declared in
            if let known = known[ObjectIdentifier(declared)] { return known.applied }
            let applied = make(declared.limit.limit, route, now: now)
            known[ObjectIdentifier(declared)] = (declared, applied)
            return applied
        }
    }

    private mutating func make(_ limit: WeirFlow.RateLimit, _ route: String?, now: Nanoseconds) -> AppliedLimit {
        let identity = freeIdentity([limit.name, route].compactMap(\.self).joined(separator: " "))
        let number = formerNumbers[identity] ?? freeNumber()
        while made.all.count <= number { made.all.append(nil) }
        let former = number < former.all.count ? former.all[number] : nil
        let limiter = limiter(share(of: limit), former, now: now)
        let applied = AppliedLimit(declared: limit, number: number, limiter: limiter)
        made.all[number] = MadeLimits.Made(identity: identity, tableBytes: tableBytes, applied: applied)
        if settings.usesStore { store(limit, identity, at: number) }
        return applied
    }

    /// The former limiter where nothing is another, else a new one with what was used up under the former.
    private func limiter(_ share: WeirFlow.RateLimit, _ former: MadeLimits.Made?, now: Nanoseconds) -> Limiter {
        if let former, former.applied.limiter.limit == share, former.tableBytes == tableBytes {
            return former.applied.limiter
        }
        let limiter = Limiter(share, tableBytes: tableBytes, now: now)
        if let former { limiter.adopt(from: former.applied.limiter, now: now) }
        return limiter
    }

    private func share(of limit: WeirFlow.RateLimit) -> WeirFlow.RateLimit {
        settings.scope == .cluster ? limit.divided(by: UInt64(divisor)) : limit
    }

    private mutating func store(_ limit: WeirFlow.RateLimit, _ identity: String, at number: Int) {
        guard let storeLimit = StoreLimit(limit, name: identity) else {
            preconditionFailure("a limit that the settings' check would have refused")
        }
        // Numbers that are skipped are those of limits that stand there still.
        while made.stored.count <= number { made.stored.append(storeLimit) }
        made.stored[number] = storeLimit
    }

    /// The name, with a number where there is such a limit already.
    private mutating func freeIdentity(_ name: String) -> String {
        var free = name
        var count = 1
        while !identities.insert(free).inserted {
            count += 1
            free = "\(name) \(count)"
        }
        return free
    }

    /// The least number that no limit has or had before this reload.
    private mutating func freeNumber() -> Int {
        while firstFree < former.all.count, former.all[firstFree] != nil { firstFree += 1 }
        defer { firstFree += 1 }
        return firstFree
    }
}
