// SPDX-License-Identifier: Apache-2.0
// The rate limits of one route: its limiters, and where each finds its key in a request. Immutable; any loop.

import WeirEventLoop
import WeirFlow
import WeirHTTP

/// Limits a route's requests. What each limit said is in the exchange's decisions, in the order of the limits.
final class RouteLimits: Sendable {
    /// The most limits on one request.
    static let limitsMax = StoreLimit.perRequestMax

    /// Whether the store counts them; then the limiters are for this replica's share, where the store does not answer.
    let areStored: Bool
    private let set: LimiterSet
    private let sources: [LimitKeySource]
    /// Each limit's own, whatever its place on this route: a client is the same on all of them.
    private let numbers: [Int]
    private let keyHash: KeyHash
    let fields: RateLimitFields
    let refusal: RateLimitRefusal
    /// Whether answers that are no refusals have the fields too.
    let writesFields: Bool

    /// Nil where no limit is for this route: one by a path parameter is only for routes that have it.
    ///
    /// - Parameter storeName: the route's, the same on every replica.
    init?(
        _ limits: [AppliedLimit],
        areStored: Bool,
        keyHash: KeyHash,
        routeIndex: Int,
        pattern: String,
        storeName: String,
        parameterNames: [String],
        writesFields: Bool
    ) {
        let applied = limits.compactMap { limit in
            LimitKeySource(
                limit.declared.key,
                routeIndex: routeIndex,
                storeName: storeName,
                parameterNames: parameterNames
            ).map { (limit: limit, source: $0) }
        }
        guard !applied.isEmpty else { return nil }
        self.areStored = areStored
        set = LimiterSet(applied.map(\.limit.limiter))
        sources = applied.map(\.source)
        numbers = applied.map(\.limit.number)
        self.keyHash = keyHash
        let named = Self.distinguished(applied.map { areStored ? $0.limit.declared : $0.limit.limiter.limit })
        fields = RateLimitFields(named, route: pattern)
        refusal = RateLimitRefusal(named)
        self.writesFields = writesFields
    }

    var count: Int { sources.count }

    /// The limits with names that are told apart in one answer: those of the server and of a group may be the same.
    private static func distinguished(_ limits: [WeirFlow.RateLimit]) -> [WeirFlow.RateLimit] {
        var taken: Set<String> = []
        return limits.map { limit in
            var name = limit.name
            var count = 1
            while !taken.insert(name).inserted {
                count += 1
                name = "\(limit.name)-\(count)"
            }
            return limit.renamed(name)
        }
    }

    /// Writes what the limits have decided on a request.
    func writeFields(_ exchange: Exchange, into writer: inout HeadWriter) {
        fields.write(decisions(exchange), into: &writer)
    }

    /// What each limit has decided; valid while the exchange is in use.
    @_lifetime(borrow exchange)
    func decisions(_ exchange: Exchange) -> Span<LimitDecision> {
        let span = Span(_unsafeStart: UnsafePointer(exchange.limitDecisions), count: count)
        return _overrideLifetime(span, borrowing: exchange)
    }

    /// Takes one from each limit, or none where one refuses; answers the place of the limit that refused.
    func take(_ exchange: Exchange, now: Nanoseconds) -> Int? {
        var keys = InlineArray<8, UInt64>(repeating: 0)
        var index = 0
        while index < sources.count {
            keys[index] = hash(index, exchange)
            index += 1
        }
        // The exchange's own memory, which nobody else touches meanwhile.
        var decisions = MutableSpan(_unsafeStart: exchange.limitDecisions, count: Self.limitsMax)
        return set.takeAll(keys: keys.span, now: now, tellsAllowed: writesFields, decisions: &decisions)
    }

    /// What the store is asked for the limit at this place; its key may lie in `scratch`.
    func storeItem(_ index: Int, _ exchange: Exchange, in scratch: UnsafeMutableRawBufferPointer) -> StoreItem {
        StoreItem(limit: numbers[index], hash: hash(index, exchange), key: key(index, exchange, in: scratch))
    }

    // MARK: Keys of this process

    /// By what the limit at this place knows whom the request is counted for.
    private func hash(_ index: Int, _ exchange: Exchange) -> UInt64 {
        let limit = numbers[index]
        switch sources[index] {
        case .none:
            return keyHash.value(limit: limit, word: 0)
        case .route(let number, _):
            return keyHash.value(limit: limit, word: number)
        case .client:
            return keyHash.value(limit: limit, word: exchange.peer.limitKey)
        case .subject:
            guard let certificate = exchange.clientCertificate else { return keyHash.value(limit: limit, word: 0) }
            return keyHash.value(limit: limit, key: RawSpan(_unsafeBytes: certificate.limitKey))
        case .host:
            return withUnsafeTemporaryAllocation(byteCount: Exchange.hostBytesMax, alignment: 8) { scratch in
                let host = exchange.lowercaseHost(in: scratch)
                return keyHash.value(limit: limit, key: RawSpan(_unsafeBytes: host))
            }
        case .header(let name):
            guard let value = exchange.fieldValue(lowercaseName: name) else {
                return keyHash.value(limit: limit, word: 0)
            }
            return keyHash.value(limit: limit, key: RawSpan(_unsafeBytes: value))
        case .parameter(let number):
            return keyHash.value(limit: limit, key: RawSpan(_unsafeBytes: exchange.parameterBytes(number)))
        }
    }

    // MARK: Keys of the cluster

    /// By what every replica knows whom it is counted for: an address, a host, a value as it was sent. Nil where all
    /// requests count together, as those without the field do. It lies in `scratch` or in the exchange.
    private func key(
        _ index: Int,
        _ exchange: Exchange,
        in scratch: UnsafeMutableRawBufferPointer
    ) -> UnsafeRawBufferPointer? {
        switch sources[index] {
        case .none: return nil
        case .route(_, let name):
            let count = min(name.count, scratch.count)
            for place in 0..<count { scratch[place] = name[place] }
            return UnsafeRawBufferPointer(rebasing: scratch[..<count])
        case .client: return exchange.peer.limitKeyText(in: scratch)
        case .subject: return exchange.clientCertificate?.limitKey
        case .host: return exchange.lowercaseHost(in: scratch)
        case .header(let name): return exchange.fieldValue(lowercaseName: name)
        case .parameter(let number): return exchange.parameterBytes(number)
        }
    }
}
