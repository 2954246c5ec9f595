// SPDX-License-Identifier: Apache-2.0
// The rate limits of one route: its limiters, and where each finds its key in a request. Immutable; any loop.

import WeirEventLoop
import WeirFlow
import WeirHTTP

/// What a limit tells requests apart by, resolved for one route.
enum LimitKeySource: Sendable {
    case constant(UInt64)
    case client
    case host
    /// The field's name in lower case.
    case header([UInt8])
    case parameter(Int)
}

/// Limits a route's requests.
final class RouteLimits: Sendable {
    /// The most limits on one request.
    static let limitsMax = 8

    let set: LimiterSet
    let sources: [LimitKeySource]
    /// Each limit's own, whatever its place on this route: a client is the same on all of them.
    private let numbers: [Int]
    private let keyHash: KeyHash
    let fields: RateLimitFields
    let refusal: RateLimitRefusal
    /// Whether answers that are no refusals have the fields too.
    let writesFields: Bool

    /// Nil where no limit is for this route: one by a path parameter is only for routes that have it.
    init?(
        _ limiters: [(number: Int, limiter: Limiter)],
        keyHash: KeyHash,
        routeIndex: Int,
        pattern: String,
        parameterNames: [String],
        writesFields: Bool
    ) {
        var applied: [Limiter] = []
        var sources: [LimitKeySource] = []
        var numbers: [Int] = []
        for (number, limiter) in limiters {
            switch limiter.limit.key {
            case .none: sources.append(.constant(0))
            case .route: sources.append(.constant(UInt64(routeIndex)))
            case .client: sources.append(.client)
            case .host: sources.append(.host)
            case .header(let name): sources.append(.header(Array(name.utf8)))
            case .parameter(let name):
                guard let index = parameterNames.firstIndex(of: name) else { continue }
                sources.append(.parameter(index))
            }
            applied.append(limiter)
            numbers.append(number)
        }
        guard !applied.isEmpty else { return nil }
        set = LimiterSet(applied)
        self.sources = sources
        self.numbers = numbers
        self.keyHash = keyHash
        let named = Self.distinguished(applied.map(\.limit))
        fields = RateLimitFields(named, route: pattern)
        refusal = RateLimitRefusal(named)
        self.writesFields = writesFields
    }

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
        let span = Span(_unsafeStart: UnsafePointer(exchange.limitDecisions), count: set.count)
        return _overrideLifetime(span, borrowing: exchange)
    }

    /// Takes one from each limit, or none where one refuses; answers the limit that refused. What each said is in the
    /// exchange's decisions.
    func take(_ exchange: Exchange, now: Nanoseconds) -> Int? {
        var keys = InlineArray<8, UInt64>(repeating: 0)
        var index = 0
        while index < sources.count {
            keys[index] = key(index, exchange)
            index += 1
        }
        // The exchange's own memory, which nobody else touches meanwhile.
        var decisions = MutableSpan(_unsafeStart: exchange.limitDecisions, count: Self.limitsMax)
        return set.takeAll(keys: keys.span, now: now, decisions: &decisions)
    }

    private func key(_ index: Int, _ exchange: Exchange) -> UInt64 {
        let limit = numbers[index]
        switch sources[index] {
        case .constant(let value):
            return keyHash.value(limit: limit, word: value)
        case .client:
            return keyHash.value(limit: limit, word: exchange.peer.limitKey)
        case .host:
            return hash(limit, exchange.authorityBytes, isCaseless: true)
        case .header(let name):
            guard let value = exchange.fieldValue(lowercaseName: name) else {
                return keyHash.value(limit: limit, word: 0)
            }
            return hash(limit, value, isCaseless: false)
        case .parameter(let number):
            return hash(limit, exchange.parameterBytes(number), isCaseless: false)
        }
    }

    private func hash(_ limit: Int, _ bytes: UnsafeRawBufferPointer, isCaseless: Bool) -> UInt64 {
        guard isCaseless else { return keyHash.value(limit: limit, key: RawSpan(_unsafeBytes: bytes)) }
        // A host is at most as long as DNS allows; what is beyond is told apart by its first bytes alone.
        return withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { scratch in
            let count = min(bytes.count, scratch.count)
            for place in 0..<count {
                let byte = bytes[place]
                scratch[place] = byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
            }
            return keyHash.value(
                limit: limit,
                key: RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: scratch[..<count]))
            )
        }
    }
}

extension KeyHash {
    /// The hash of a key that is one number.
    fileprivate func value(limit: Int, word: UInt64) -> UInt64 {
        var word = word.littleEndian
        return withUnsafeBytes(of: &word) { value(limit: limit, key: RawSpan(_unsafeBytes: $0)) }
    }
}

extension PeerAddress {
    /// What a limit by client counts by: an IPv4 address, or the first 64 bits of an IPv6 address, which are one
    /// client's (RFC 6177); all clients of Unix sockets are one.
    fileprivate var limitKey: UInt64 {
        switch socketAddress {
        case .ipv4(let value, _): UInt64(value)
        // No global IPv6 address begins with 32 zero bits, so none is taken for an IPv4 address.
        case .ipv6(let upper, _, _): upper
        case .unix: .max
        }
    }
}

extension Exchange {
    /// The host that is asked, as it was sent, without its port.
    fileprivate var authorityBytes: UnsafeRawBufferPointer {
        let whole = bytes(parser.pointee.head.authority)
        var end = whole.count
        while end > 0, whole[end - 1] >= 0x30, whole[end - 1] <= 0x39 { end -= 1 }
        let hasPort = end > 0 && end < whole.count && whole[end - 1] == UInt8(ascii: ":")
        return hasPort ? UnsafeRawBufferPointer(rebasing: whole[..<(end - 1)]) : whole
    }

    /// The value of the first field of this name.
    func fieldValue(lowercaseName name: [UInt8]) -> UnsafeRawBufferPointer? {
        for index in 0..<parser.pointee.fieldCount {
            let field = parser.pointee.field(index)
            if Int(field.name.count) == name.count, Self.isSame(bytes(field.name), name) { return bytes(field.value) }
        }
        return nil
    }

    private static func isSame(_ bytes: UnsafeRawBufferPointer, _ name: [UInt8]) -> Bool {
        for index in 0..<name.count {
            let byte = bytes[index]
            guard (byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte) == name[index] else { return false }
        }
        return true
    }
}

extension WeirFlow.Priority {
    /// The class that a field's value names, in any case.
    init?(field: UnsafeRawBufferPointer) {
        switch String(decoding: field, as: UTF8.self).lowercased() {
        case "critical": self = .critical
        case "default": self = .default
        case "sheddable": self = .sheddable
        default: return nil
        }
    }
}
